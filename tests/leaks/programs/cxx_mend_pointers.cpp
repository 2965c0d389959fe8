// clean
// SPDX-License-Identifier: MIT
//
// link: mend
// memcheck: not judged: it knows no blocks of mend's own functions
#include <memory>
#include <vector>

#include "allocator.hpp"
#include "plant.h"

static void work()
{
  auto single = custom_alloc::make_unique<int>(3);
  auto shared = custom_alloc::make_shared<std::vector<int>>(100, *single);
  std::weak_ptr<std::vector<int>> weak = shared;
  if (weak.lock()->size() != 100) abort();
}

int main()
{
  plant(work);
}
