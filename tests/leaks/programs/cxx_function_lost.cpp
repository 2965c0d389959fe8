// leaks: direct 1 block 32 bytes; indirect 1 block 160 bytes
// SPDX-License-Identifier: MIT
//
// A closure that is too large for the function object itself.
#include <functional>

#include "plant.h"

static void lose()
{
  struct {
    long numbers[20];
  } much = {};
  plant_use(new std::function<long()>([much] { return much.numbers[0]; }));
}

int main()
{
  plant(lose);
}
