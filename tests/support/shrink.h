// SPDX-License-Identifier: MIT
//
// Makes a failing sequence of operations short (delta debugging): leaves out ever smaller parts, as
// long as what remains still fails.
#ifndef TESTS_SHRINK_H
#define TESTS_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

// Runs the operations with these numbers, which are in ascending order; tells whether that fails.
typedef bool (*shrink_fails)(const size_t *numbers, size_t count);

// `numbers` lists `count` operations that fail together; on return its first entries list those of
// them that are needed. Returns how many that are. Leaving out any one of them would not fail.
size_t shrink(size_t *numbers, size_t count, shrink_fails fails);

#endif
