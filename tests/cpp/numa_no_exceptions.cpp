// SPDX-License-Identifier: MIT
// standards: 11 17 20
// flags: -fno-exceptions -fno-rtti
//
// A node that is not there ends a program without exceptions; the forms that throw nothing do not.
#include "support.hpp"

#include <csignal>
#include <new>
#include <sys/wait.h>
#include <unistd.h>

#include "numa_allocator.hpp"
#include "secure_allocator.hpp"

TEST_CASE("NULL where NULL is promised, else abort()")
{
  CHECK(custom_alloc::numa::allocate_on_node(100, -1, std::nothrow) == nullptr);
  pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, [](int) { _exit(42); });  // doctest has a handler of its own
    custom_alloc::numa::allocate_on_node(100, -1);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("secrets are kept as elsewhere")
{
  custom_alloc::secure::vector<char> key(100, 'k');
  CHECK(key.back() == 'k');
}
