// SPDX-License-Identifier: MIT
//
// mend for C++: the front. It includes every other header of this folder but new_delete.hpp, which
// one source file of a program includes, and secure_allocator.hpp.
#ifndef CUSTOM_ALLOC_ALLOCATOR_HPP
#define CUSTOM_ALLOC_ALLOCATOR_HPP

#include "defragmentation.hpp"
#include "heap.hpp"
#include "memory.hpp"
#include "memory_resource.hpp"
#include "numa_allocator.hpp"
#include "smart_ptr.hpp"

#endif
