// SPDX-License-Identifier: MIT
#include "other.hpp"

std::string *make_elsewhere(std::size_t size)
{
  return new std::string(size, ' ');
}
