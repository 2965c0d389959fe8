// SPDX-License-Identifier: MIT
//
// Untyped memory, by the front header alone.
#include "allocator.hpp"
#include <cstring>

int main()
{
  void *ptr = custom_alloc::allocate(1024);
  std::memset(ptr, 0, 1024);
  custom_alloc::deallocate(ptr);
}
