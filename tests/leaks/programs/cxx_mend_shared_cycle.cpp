// leaks: cycle 2 blocks any bytes
// SPDX-License-Identifier: MIT
//
// The same of mend's allocator and the library's shared pointers.
// link: mend
// memcheck: not judged: it knows no blocks of mend's own functions
#include <memory>

#include "allocator.hpp"
#include "plant.h"

struct person {
  std::shared_ptr<person> friend_;
};

static void lose()
{
  auto left = custom_alloc::make_shared<person>();
  auto right = custom_alloc::make_shared<person>();
  left->friend_ = right;
  right->friend_ = left;
}

int main()
{
  plant(lose);
}
