// clean
// SPDX-License-Identifier: MIT
//
// Thrown, kept, thrown again, by several.
#include <exception>
#include <stdexcept>
#include <string>

#include "plant.h"

static std::exception_ptr kept;

static void work()
{
  for (int i = 0; i < 10; i++) {
    try {
      throw std::runtime_error(std::string(100, 'x'));
    } catch (...) {
      kept = std::current_exception();
    }
  }
}

int main()
{
  plant(work);
}
