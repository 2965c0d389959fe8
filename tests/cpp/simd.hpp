// SPDX-License-Identifier: MIT
//
// Every path that C++ has to mend's memory, for types that hold a vector of the processor. A type T
// has functions that store a number in all of it, and load it, by instructions that fail where the
// address is not aligned. The processor's vectors have their alignment only where the compiler may
// use them, by its flags, and so each width has a program of its own.
#ifndef TESTS_CPP_SIMD_HPP
#define TESTS_CPP_SIMD_HPP

#include "support.hpp"

#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <unistd.h>
#include <vector>

#include "allocator.hpp"

// Ends the program as one that can't run here: before main, all of which may use what is missing.
[[noreturn]] inline void cannot_run(const char *reason)
{
  std::puts(reason);
  std::fflush(stdout);
  _exit(77);
}

// A vector between other members, and a destructor, so that arrays have their count.
template <class T> struct around {
  explicit around(int number = 0) : first('a')
  {
    put(number);
  }
  around(const around &other) : first(other.first)
  {
    std::memcpy(static_cast<void *>(&inside), &other.inside, sizeof(T));
  }
  around &operator=(const around &other)
  {
    std::memcpy(static_cast<void *>(&inside), &other.inside, sizeof(T));
    return *this;
  }
  ~around()
  {
    first = 0;
  }
  void put(int number)
  {
    T::store(&inside, number);
  }
  // Whether it is where it must be, and holds the number.
  bool holds(int number) const
  {
    return is_aligned(this, alignof(T)) && is_aligned(&inside, alignof(T)) && first == 'a' &&
           T::load(&inside) == number;
  }
  char first;
  T inside;
};

template <class T> inline void check_pointers(const custom_alloc::heap &heap)
{
  for (int number = 0; number < 40; ++number) {
    auto object = custom_alloc::make_unique<around<T>>(number);
    CHECK(object->holds(number));
    auto array = custom_alloc::make_unique<around<T>[]>(3);
    array[2].put(number);
    CHECK((array[0].holds(0) && array[2].holds(number)));
    auto bare = custom_alloc::make_unique_for_overwrite<T[]>(5);
    CHECK(is_aligned(&bare[4], alignof(T)));
    CHECK(custom_alloc::make_shared<around<T>>(number)->holds(number));
    CHECK(custom_alloc::make_unique_in<around<T>>(heap, number)->holds(number));
    CHECK(custom_alloc::make_shared_in<around<T>>(heap, number)->holds(number));
    void *block = custom_alloc::allocate(sizeof(around<T>), alignof(T));
    auto *placed = ::new (block) around<T>(number);
    CHECK(placed->holds(number));
    placed->~around();
    custom_alloc::deallocate(block);
  }
}

template <class T, class Vector> inline void check_vector(Vector vector)
{
  for (int number = 0; number < 300; ++number) vector.push_back(around<T>(number));
  int wanted = 0;
  for (const around<T> &element : vector) REQUIRE(element.holds(wanted++));
}

template <class T> inline void check_containers(const custom_alloc::heap &heap)
{
  using type = around<T>;
  check_vector<T>(std::vector<type, custom_alloc::allocator<type>>());
  check_vector<T>(std::deque<type, custom_alloc::allocator<type>>());
  custom_alloc::heap_allocator<type> in_heap(heap);
  check_vector<T>(std::vector<type, custom_alloc::heap_allocator<type>>(in_heap));
  using pair = std::pair<const int, type>;
  std::map<int, type, std::less<int>, custom_alloc::allocator<pair>> map;
  for (int number = 0; number < 100; ++number) map.emplace(number, type(number));
  for (const pair &entry : map) REQUIRE(entry.second.holds(entry.first));
#if defined(CUSTOM_ALLOC_HAS_MEMORY_RESOURCE)
  custom_alloc::memory_resource resource(heap);
  custom_alloc::frame_resource frame;
  check_vector<T>(std::pmr::vector<type>(custom_alloc::global_resource()));
  check_vector<T>(std::pmr::vector<type>(&resource));
  check_vector<T>(std::pmr::vector<type>(&frame));
#endif
}

template <class T> inline void check_all()
{
  custom_alloc::heap heap;
  check_pointers<T>(heap);
  check_containers<T>(heap);
  CHECK(live_blocks() == 0);
  CHECK(live_blocks(heap.native()) == 0);
}

#endif
