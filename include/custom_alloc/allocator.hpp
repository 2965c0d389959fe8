// SPDX-License-Identifier: MIT
//
// mend for C++: the front. It includes every other header of this folder, and of its parts/, but
// new_delete.hpp, which one source file of a program includes, and secure_allocator.hpp. What is in
// parts/ is not for programs to include by name.
#ifndef CUSTOM_ALLOC_ALLOCATOR_HPP
#define CUSTOM_ALLOC_ALLOCATOR_HPP

#include "defragmentation.hpp"
#include "numa_allocator.hpp"
#include "parts/heap.hpp"
#include "parts/memory.hpp"
#include "parts/memory_resource.hpp"
#include "parts/smart_ptr.hpp"

#endif
