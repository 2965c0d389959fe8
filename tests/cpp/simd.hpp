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
#include "new_delete.hpp"

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
  around(const around &other) noexcept : first(other.first)
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

template <class T> inline void check_pointers(custom_alloc::heap &heap)
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

template <class T> inline void check_containers(custom_alloc::heap &heap)
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

// Objects that move, those of `around` by its constructor, bare ones as bytes.
template <class T> inline void check_handles()
{
  std::vector<custom_alloc::handle<around<T>>> objects;
  custom_alloc::relocatable_vector<around<T>> elements;
  custom_alloc::relocatable_vector<T> bare(300);
  for (int number = 0; number < 300; ++number) {
    objects.push_back(custom_alloc::make_handle<around<T>>(number));
    elements.push_back(around<T>(number));
    T::store(&bare[static_cast<std::size_t>(number)], number);
  }
  auto array = custom_alloc::make_handle<around<T>[]>(3);
  auto shared = custom_alloc::make_shared_handle<around<T>>(7);
  mend_handle untyped = custom_alloc::allocate_handle(sizeof(T), alignof(T));
  for (std::size_t i = 0; i < objects.size(); ++i)  // holes, for the others to move into
    if (i % 4 != 0) objects[i].reset();
  REQUIRE(custom_alloc::defragment() == MEND_OK);
  custom_alloc::scope open;
  for (std::size_t i = 0; i < objects.size(); i += 4)
    REQUIRE(objects[i]->holds(static_cast<int>(i)));
  int wanted = 0;
  for (const around<T> &element : elements) REQUIRE(element.holds(wanted++));
  for (std::size_t i = 0; i < bare.size(); ++i)
    REQUIRE((is_aligned(&bare[i], alignof(T)) && T::load(&bare[i]) == static_cast<int>(i)));
  CHECK((array[0].holds(0) && array[2].holds(0)));
  CHECK(shared->holds(7));
  CHECK(is_aligned(custom_alloc::resolve(untyped), alignof(T)));
  CHECK(custom_alloc::deallocate_handle(untyped) == MEND_OK);
}

// By the program's own operators, which new_delete.hpp has made mend's. Before C++17 they know no
// alignment beyond 16 bytes.
template <class T> inline void check_new()
{
#if defined(__cpp_aligned_new)
  for (int number = 0; number < 40; ++number) {
    std::unique_ptr<around<T>> object(new around<T>(number));
    std::unique_ptr<around<T>[]> array(new around<T>[3]);
    array[2].put(number);
    CHECK(mend_owns(object.get()));
    CHECK(object->holds(number));
    CHECK((array[0].holds(0) && array[2].holds(number)));
    check_vector<T>(std::vector<around<T>>());
  }
#endif
}

template <class T> inline void check_all()
{
  check_handles<T>();
  check_new<T>();
  const std::size_t before = live_blocks();
  custom_alloc::heap heap;
  check_pointers<T>(heap);
  check_containers<T>(heap);
  CHECK(live_blocks() == before);
  CHECK(live_blocks(heap.native()) == 0);
}

#endif
