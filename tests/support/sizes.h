// SPDX-License-Identifier: MIT
//
// Sizes that tests of single blocks go through: both sides of each power of two and some between,
// from nothing to 64 MiB, so that every kind of block and every border between kinds is met.
#ifndef TESTS_SIZES_H
#define TESTS_SIZES_H

#include <stddef.h>

static const size_t test_sizes[] = {
    0,       1,       7,       8,       15,      16,       17,       24,       31,       32,
    33,      48,      63,      64,      65,      100,      127,      128,      129,      255,
    256,     257,     500,     511,     512,     513,      1000,     1023,     1024,     1025,
    2000,    2047,    2048,    2049,    3000,    4095,     4096,     4097,     5000,     8191,
    8192,    8193,    10000,   16383,   16384,   16385,    20000,    32767,    32768,    32769,
    50000,   65535,   65536,   65537,   100000,  131072,   131073,   200000,   262144,   262145,
    524288,  524289,  1000000, 1048575, 1048576, 1048577,  2097151,  2097152,  2097153,  4194303,
    4194304, 4194305, 6000000, 8388608, 8388609, 16777216, 33554431, 33554433, 67108864,
};
enum { TEST_SIZE_COUNT = sizeof test_sizes / sizeof test_sizes[0] };

#endif
