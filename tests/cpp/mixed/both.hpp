// SPDX-License-Identifier: MIT
//
// What the two source files of the program have in common: functions of the library that both use,
// so that the linker has to choose where it sees one function in two.
#ifndef TESTS_CPP_MIXED_BOTH_HPP
#define TESTS_CPP_MIXED_BOTH_HPP

#include <cstddef>

#include "allocator.hpp"

// Small ones by every way whose end depends on the flags. Whether there is memory for all.
static inline bool allocates()
{
  custom_alloc::allocator<int> integers;
  int *numbers = integers.allocate(10);
  custom_alloc::memory_resource resource;
  auto array = custom_alloc::make_unique<int[]>(10);
  auto object = custom_alloc::make_handle<int>(1);
  custom_alloc::relocatable_vector<int> vector(10, 1);
  void *block = custom_alloc::allocate(10);
  bool is_there = block != nullptr && numbers != nullptr && array && object && vector.at(9) == 1 &&
                  resource.is_equal(resource);
  custom_alloc::deallocate(block);
  integers.deallocate(numbers, 10);
  return is_there;
}

// Of the file without exceptions.
bool allocates_without_exceptions();

#endif
