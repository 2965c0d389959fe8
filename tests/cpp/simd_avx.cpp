// SPDX-License-Identifier: MIT
// standards: 11 17
// processor: x86_64
// flags: -mavx
// without: tsan
//
// Members of type __m256.
#include "simd.hpp"

#include <immintrin.h>

namespace
{

__attribute__((constructor(101))) void ask_the_processor()
{
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx")) cannot_run("cannot run: this processor has no avx");
}

struct avx {
  static void store(avx *to, int number)
  {
    _mm256_store_ps(reinterpret_cast<float *>(&to->vector),
                    _mm256_set1_ps(static_cast<float>(number)));
  }
  static int load(const avx *from)
  {
    alignas(32) float copy[8];
    _mm256_store_ps(copy, _mm256_load_ps(reinterpret_cast<const float *>(&from->vector)));
    return static_cast<int>(copy[7]);
  }
  __m256 vector;
};
static_assert(alignof(avx) == 32, "the compiler may use them");

}  // namespace

TEST_CASE("__m256")
{
  check_all<avx>();
}
