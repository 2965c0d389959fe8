// leaks: cycle 4 blocks any bytes
// SPDX-License-Identifier: MIT
//
// Made from new, each has a block of its own for its counts.
#include <memory>

#include "plant.h"

struct person {
  std::shared_ptr<person> friend_;
};

static void lose()
{
  std::shared_ptr<person> left(new person);
  std::shared_ptr<person> right(new person);
  left->friend_ = right;
  right->friend_ = left;
}

int main()
{
  plant(lose);
}
