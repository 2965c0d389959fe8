// SPDX-License-Identifier: MIT
#include "both.hpp"

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this file is for a compiler without exceptions and RTTI"
#endif

bool allocates_without_exceptions()
{
  return allocates();
}
