// SPDX-License-Identifier: MIT
// standards: 11 17 20
// without: tsan
//
// Alignments up to a page, and the vectors that every processor of x86-64 has.
#include "simd.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace
{

template <std::size_t alignment> struct alignas(alignment) bytes_of {
  static void store(bytes_of *to, int number)
  {
    to->numbers[0] = to->numbers[3] = number;
  }
  static int load(const bytes_of *from)
  {
    return from->numbers[3];
  }
  int numbers[4];
};

#if defined(__x86_64__)
struct sse {
  static void store(sse *to, int number)
  {
    _mm_store_ps(reinterpret_cast<float *>(&to->vector), _mm_set1_ps(static_cast<float>(number)));
  }
  static int load(const sse *from)
  {
    return static_cast<int>(_mm_cvtss_f32(from->vector));
  }
  __m128 vector;
};
#endif

}  // namespace

TEST_CASE("alignments of 32, 64, 128 and 4096")
{
  check_all<bytes_of<32>>();
  check_all<bytes_of<64>>();
  check_all<bytes_of<128>>();
  check_all<bytes_of<4096>>();
}

#if defined(__x86_64__)
TEST_CASE("__m128")
{
  check_all<sse>();
}
#endif
