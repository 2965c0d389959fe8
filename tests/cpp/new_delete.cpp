// SPDX-License-Identifier: MIT
// standards: 11 17
// without: tsan
//
// new_delete.hpp in one source file of a program: every new of all of them is mend's, malloc is
// not.
#include "support.hpp"

#include <climits>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <type_traits>

#include "new_delete.hpp"
#include "new_delete/other.hpp"

namespace
{

int handler_calls;

// A block whose allocation the compiler can't do without.
void *seen(void *block)
{
  void *volatile memory = block;
  return memory;
}

// Whether as much is allocated after 1000 calls as before them.
template <class Form> bool leaves_nothing(Form form)
{
  std::size_t before = live_blocks();
  for (int i = 0; i < 1000; ++i) form();
  return live_blocks() == before;
}

struct throws_when_made {
  throws_when_made()
  {
    throw 42;
  }
};

}  // namespace

TEST_CASE("all forms give blocks of mend's, here and in other source files")
{
  int *one = new int(1);
  std::string *several = new std::string[4];
  int *without_throwing = new (std::nothrow) int(2);
  int *array_without_throwing = new (std::nothrow) int[3];
  CHECK(mend_owns(one));
  CHECK(mend_owns(several));
  CHECK(mend_owns(without_throwing));
  CHECK(mend_owns(array_without_throwing));
  delete one;
  delete[] several;
  delete without_throwing;
  delete[] array_without_throwing;

  std::unique_ptr<std::string> elsewhere(make_elsewhere(100));
  CHECK(mend_owns(elsewhere.get()));
  CHECK(mend_owns(elsewhere->data()));
  CHECK(elsewhere->size() == 100);

  void *plain = std::malloc(100);
  CHECK_FALSE(mend_owns(plain));
  std::free(plain);
}

TEST_CASE("every form of delete gives its block back")
{
  CHECK(leaves_nothing([] { ::operator delete(seen(::operator new(10))); }));
  CHECK(leaves_nothing([] { ::operator delete[](seen(::operator new[](10))); }));
  CHECK(leaves_nothing([] { ::operator delete(seen(::operator new(10)), std::nothrow); }));
  CHECK(leaves_nothing([] { ::operator delete[](seen(::operator new[](10)), std::nothrow); }));
#if defined(__cpp_sized_deallocation)
  CHECK(leaves_nothing([] { ::operator delete(seen(::operator new(10)), std::size_t(10)); }));
  CHECK(leaves_nothing([] { ::operator delete[](seen(::operator new[](10)), std::size_t(10)); }));
#endif
#if defined(__cpp_aligned_new)
  constexpr std::align_val_t line{64};
  CHECK(leaves_nothing([] { ::operator delete(seen(::operator new(10, line)), line); }));
  CHECK(leaves_nothing([] { ::operator delete[](seen(::operator new[](10, line)), line); }));
  CHECK(leaves_nothing(
      [] { ::operator delete(seen(::operator new(10, line)), line, std::nothrow); }));
  CHECK(leaves_nothing(
      [] { ::operator delete[](seen(::operator new[](10, line)), line, std::nothrow); }));
#if defined(__cpp_sized_deallocation)
  CHECK(leaves_nothing([] { ::operator delete(seen(::operator new(10, line)), 10, line); }));
  CHECK(leaves_nothing([] { ::operator delete[](seen(::operator new[](10, line)), 10, line); }));
#endif
#endif
}

#if defined(__cpp_aligned_new)
TEST_CASE("forms with an alignment")
{
  struct alignas(256) wide {
    char bytes[300];
  };
  for (int i = 0; i < 20; ++i) {
    auto one = std::make_unique<wide>();
    auto several = std::make_unique<wide[]>(3);
    std::unique_ptr<wide> quiet(new (std::nothrow) wide);
    std::unique_ptr<wide[]> quiet_array(new (std::nothrow) wide[2]);
    CHECK(is_aligned(one.get(), 256));
    CHECK(is_aligned(several.get(), 256));
    CHECK(is_aligned(quiet.get(), 256));
    CHECK(is_aligned(quiet_array.get(), 256));
    CHECK(mend_owns(quiet_array.get()));
  }
  constexpr std::align_val_t page{4096};
  for (int i = 0; i < 20; ++i) {
    void *blocks[] = {::operator new(10, page), ::operator new[](10, page),
                      ::operator new(10, page, std::nothrow),
                      ::operator new[](10, page, std::nothrow)};
    for (void *block : blocks) {
      CHECK(is_aligned(block, 4096));
      ::operator delete(block, page);
    }
  }
  CHECK_THROWS_AS((void)::operator new(opaque(PTRDIFF_MAX), page), std::bad_alloc);
  CHECK(::operator new(opaque(PTRDIFF_MAX), page, std::nothrow) == nullptr);
}
#endif

TEST_CASE("when memory runs out the handler is asked, also below the forms that do not throw")
{
  const std::size_t too_large = opaque(PTRDIFF_MAX);
  CHECK_THROWS_AS((void)::operator new(too_large), std::bad_alloc);
  CHECK(::operator new(too_large, std::nothrow) == nullptr);
  handler_calls = 0;
  std::set_new_handler([] {
    if (++handler_calls == 2) throw std::bad_alloc();
  });
  CHECK_THROWS_AS((void)::operator new(too_large), std::bad_alloc);
  CHECK(handler_calls == 2);
  handler_calls = 0;
  CHECK(::operator new[](too_large, std::nothrow) == nullptr);
  CHECK(handler_calls == 2);
  std::set_new_handler(nullptr);
}

TEST_CASE("what a constructor throws leaves nothing behind")
{
  std::size_t before = live_blocks();
  for (int i = 0; i < 3; ++i) {
    CHECK_THROWS_AS(delete new throws_when_made, int);
    CHECK_THROWS_AS(delete[] new throws_when_made[3], int);
    CHECK_THROWS_AS(delete new (std::nothrow) throws_when_made, int);
  }
  CHECK(live_blocks() <= before + 16);  // doctest keeps blocks of its own
}
