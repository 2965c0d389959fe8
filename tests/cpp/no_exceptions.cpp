// SPDX-License-Identifier: MIT
// standards: 11 17 20
// flags: -fno-exceptions -fno-rtti
// without: tsan
//
// All headers in a program without exceptions and RTTI: they do what they do, and what would throw
// ends the program after the new-handler was asked.
#include "support.hpp"

#include <climits>
#include <csignal>
#include <list>
#include <memory>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "allocator.hpp"
#include "new_delete.hpp"

namespace
{

struct base {
  virtual ~base() = default;
  long padding = 0;
};
struct derived : counted, base {
};

int handler_calls;

}  // namespace

TEST_CASE("pointers, containers and resources work")
{
  {
    custom_alloc::unique_ptr<base> as_base = custom_alloc::make_unique<derived>();
    auto array = custom_alloc::make_unique<counted[]>(5);
    auto shared = custom_alloc::make_shared<counted>();
    CHECK(counted::live() == 7);
    custom_alloc::heap heap;
    std::vector<int, custom_alloc::heap_allocator<int>> numbers(10, 1, heap);
    std::list<int, custom_alloc::allocator<int>> list(10, 2);
    CHECK(heap.owns(numbers.data()));
#if defined(CUSTOM_ALLOC_HAS_MEMORY_RESOURCE)
    custom_alloc::memory_resource one(heap), other(heap);
    CHECK(one == one);
    CHECK(one != other);  // they can't tell
    custom_alloc::frame_resource frame;
    std::pmr::vector<int> in_frame(100, &frame);
#endif
  }
  CHECK(counted::live() == 0);
}

TEST_CASE("memory that is not there: NULL where NULL is promised")
{
  const std::size_t too_large = opaque(PTRDIFF_MAX);
  CHECK(custom_alloc::allocate(too_large, std::nothrow) == nullptr);
  handler_calls = 0;
  std::set_new_handler([] {
    if (++handler_calls == 2) std::set_new_handler(nullptr);
  });
  CHECK(::operator new(too_large, std::nothrow) == nullptr);
  CHECK(handler_calls == 2);
}

TEST_CASE("else abort()")
{
  const std::size_t too_large = opaque(PTRDIFF_MAX);
  pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, [](int) { _exit(42); });  // doctest has a handler of its own
    (void)custom_alloc::allocate(too_large);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}
