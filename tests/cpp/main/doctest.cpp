// SPDX-License-Identifier: MIT
//
// The part of doctest that is compiled once, with its main.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
