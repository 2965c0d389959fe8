// SPDX-License-Identifier: MIT
//
// A handle, by the front header alone.
#include "allocator.hpp"
#include <cstring>

int main()
{
  auto handle = custom_alloc::allocate_handle(4096);
  void *ptr = custom_alloc::resolve(handle);
  std::memset(ptr, 1, 4096);
  custom_alloc::defragment();  // handles remain valid
  ptr = custom_alloc::resolve(handle);
  bool is_whole = static_cast<char *>(ptr)[4095] == 1;
  custom_alloc::deallocate_handle(handle);
  return is_whole ? 0 : 1;
}
