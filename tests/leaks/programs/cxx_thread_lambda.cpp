// leaks: direct 5 blocks 500 bytes
// SPDX-License-Identifier: MIT
//
// In threads of the C++ library, which make blocks for what they call.
#include <thread>
#include <vector>

#include "plant.h"

static void lose()
{
  plant_use(new char[100]);
}

static void work()
{
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; i++) threads.emplace_back([] { plant(lose); });
  for (auto &thread : threads) thread.join();
}

int main()
{
  plant(work);
}
