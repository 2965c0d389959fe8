// clean
// SPDX-License-Identifier: MIT
#include <future>

#include "plant.h"

static void work()
{
  auto answer = std::async(std::launch::async, [] { return 42; });
  if (answer.get() != 42) abort();
}

int main()
{
  plant(work);
}
