// SPDX-License-Identifier: MIT
//
// What another source file of the program allocates.
#ifndef TESTS_CPP_NEW_DELETE_OTHER_HPP
#define TESTS_CPP_NEW_DELETE_OTHER_HPP

#include <cstddef>
#include <string>

// A new string of so many blanks, to be deleted by the caller.
std::string *make_elsewhere(std::size_t size);

#endif
