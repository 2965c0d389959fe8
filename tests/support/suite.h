// SPDX-License-Identifier: MIT
//
// What a cmocka program includes: cmocka wants four standard headers before its own. In threads
// other than the one that runs the test use CHECK (support.h): cmocka's asserts jump.
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support.h"

// Runs the static array `tests` and gives main its exit code.
#define SUITE_RUN(tests) (cmocka_run_group_tests(tests, NULL, NULL) == 0 ? TEST_PASS : TEST_FAIL)

#endif
