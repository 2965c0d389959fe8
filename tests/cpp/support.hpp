// SPDX-License-Identifier: MIT
//
// What the test programs of C++ share: doctest, a scale for their length, random numbers from a
// printed seed, and a type that counts how many of it live and can throw when it is made.
#ifndef TESTS_CPP_SUPPORT_HPP
#define TESTS_CPP_SUPPORT_HPP

// Also in programs without exceptions: there a REQUIRE that fails ends the program.
#if !defined(__cpp_exceptions)
#define DOCTEST_CONFIG_NO_EXCEPTIONS_BUT_WITH_ALL_ASSERTS
#endif
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>

#include "mend/mend.h"

// Of tests/support/support.h, which is C and no C++.
extern "C" {
std::size_t test_scaled(std::size_t count);
std::uint64_t random_seed(void);
bool test_is_instrumented(void);
bool test_is_in_valgrind(void);
}

inline bool is_aligned(const void *pointer, std::size_t alignment)
{
  return (reinterpret_cast<std::uintptr_t>(pointer) & (alignment - 1)) == 0;
}

// A number that the compiler can't know.
inline std::size_t opaque(std::size_t number)
{
  volatile std::size_t hidden = number;
  return hidden;
}

// How many live blocks the heap has; NULL: those of the calling thread up to 64 KiB.
inline std::size_t live_blocks(mend_heap *heap = nullptr)
{
  std::size_t count = 0;
  mend_heap_visit(
      heap,
      [](void *, std::size_t, void *argument) {
        ++*static_cast<std::size_t *>(argument);
        return true;
      },
      &count);
  return count;
}

// Counts the live ones; the one made when `fuse` reaches 0 throws instead.
struct counted {
  static int &live()
  {
    static int count = 0;
    return count;
  }
  static int &fuse()
  {
    static int left = -1;
    return left;
  }

  explicit counted(int number = 7) : value(number)
  {
    light();
    ++live();
  }
  counted(const counted &other) : value(other.value)
  {
    light();
    ++live();
  }
  counted &operator=(const counted &) = default;
  ~counted()
  {
    value = -1;
    --live();
  }

  int value;

private:
  static void light()
  {
#if defined(__cpp_exceptions)
    if (fuse() >= 0 && fuse()-- == 0) throw 42;
#endif
  }
};

#endif
