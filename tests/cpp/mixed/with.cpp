// SPDX-License-Identifier: MIT
//
// A program whose other source file has no exceptions and no RTTI: here they work all the same,
// whichever of the two the linker sees first. No doctest, which would be of one kind itself.
#include "both.hpp"

#include <climits>
#include <cstdio>
#include <memory_resource>
#include <new>
#include <stdexcept>

namespace
{

int failures;

void check(bool is_right, const char *what)
{
  if (is_right) return;
  std::printf("FAIL: %s\n", what);
  failures++;
}

template <class Exception, class Function> void throws(const char *what, Function function)
{
  try {
    function();
  } catch (const Exception &) {
    return;
  }
  check(false, what);
}

}  // namespace

int main()
{
  volatile std::size_t hidden = PTRDIFF_MAX;
  const std::size_t too_large = hidden;
  check(allocates() && allocates_without_exceptions(), "there is memory");
  throws<std::bad_alloc>("allocate", [&] { (void)custom_alloc::allocate(too_large); });
  throws<std::bad_array_new_length>(
      "allocator", [&] { (void)custom_alloc::allocator<int>().allocate(too_large); });
  throws<std::bad_array_new_length>("make_unique",
                                    [&] { (void)custom_alloc::make_unique<int[]>(too_large); });
  throws<std::bad_alloc>("allocate_handle",
                         [&] { (void)custom_alloc::allocate_handle(too_large); });
  throws<std::out_of_range>("at",
                            [] { (void)custom_alloc::relocatable_vector<int>(10, 1).at(10); });
  throws<std::length_error>("vector",
                            [&] { custom_alloc::relocatable_vector<int>().reserve(too_large); });
  custom_alloc::memory_resource one, other;
  check(one.is_equal(other), "two resources of the same memory are equal, by RTTI");
  return failures == 0 ? 0 : 1;
}
