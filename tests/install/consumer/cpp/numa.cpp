// SPDX-License-Identifier: MIT
//
// Memory on a node, by the front header alone. Where the kernel has no nodes, or lets nobody bind
// memory, that is told by an exception.
#include "allocator.hpp"
#include <cstdio>
#include <system_error>

int main()
try {
  custom_alloc::numa::allocate_on_node(1024 * 1024, 0);
} catch (const std::system_error &error) {
  std::puts(error.what());
  return error.code() == std::errc::invalid_argument ||
                 error.code() == std::errc::operation_not_permitted
             ? 0
             : 1;
}
