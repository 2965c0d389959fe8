// leaks: cycle 2 blocks any bytes
// SPDX-License-Identifier: MIT
//
// Two shared pointers that keep each other. The C++ library's are no counted objects of mend: a
// cycle is all that can be said.
#include <memory>

#include "plant.h"

struct person {
  std::shared_ptr<person> friend_;
};

static void lose()
{
  auto left = std::make_shared<person>();
  auto right = std::make_shared<person>();
  left->friend_ = right;
  right->friend_ = left;
}

int main()
{
  plant(lose);
}
