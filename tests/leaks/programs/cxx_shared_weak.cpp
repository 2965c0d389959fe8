// clean
// SPDX-License-Identifier: MIT
#include <memory>

#include "plant.h"

struct person {
  std::shared_ptr<person> friend_;
  std::weak_ptr<person> back;
};

static void work()
{
  auto left = std::make_shared<person>();
  auto right = std::make_shared<person>();
  left->friend_ = right;
  right->back = left;
}

int main()
{
  plant(work);
}
