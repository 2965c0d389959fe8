// SPDX-License-Identifier: MIT
// standards: 11 17
// processor: x86_64
// flags: -mavx512f
// without: tsan
//
// Members of type __m512.
#include "simd.hpp"

#include <immintrin.h>

namespace
{

__attribute__((constructor(101))) void ask_the_processor()
{
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f")) cannot_run("cannot run: this processor has no avx512f");
}

struct avx512 {
  static void store(avx512 *to, int number)
  {
    _mm512_store_ps(reinterpret_cast<float *>(&to->vector),
                    _mm512_set1_ps(static_cast<float>(number)));
  }
  static int load(const avx512 *from)
  {
    alignas(64) float copy[16];
    _mm512_store_ps(copy, _mm512_load_ps(reinterpret_cast<const float *>(&from->vector)));
    return static_cast<int>(copy[15]);
  }
  __m512 vector;
};
static_assert(alignof(avx512) == 64, "the compiler may use them");

}  // namespace

TEST_CASE("__m512")
{
  check_all<avx512>();
}
