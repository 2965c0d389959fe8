// clean
// SPDX-License-Identifier: MIT
//
// Thread-local containers, of a thread that ends and of main.
#include <string>
#include <thread>
#include <vector>

#include "plant.h"

static thread_local std::vector<std::string> words;

static void keep()
{
  for (int i = 0; i < 100; i++) words.push_back(std::string(40, 'x'));
}

int main()
{
  std::thread([] { plant(keep); }).join();
  plant(keep);
}
