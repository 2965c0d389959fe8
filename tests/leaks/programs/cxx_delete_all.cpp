// clean
// SPDX-License-Identifier: MIT
//
// Every operator new with the operator delete that is its fellow, the sized and aligned ones too.
#include <new>

#include "plant.h"

struct alignas(64) line {
  char bytes[64];
  ~line()
  {
    bytes[0] = 1;
  }
};

struct thing {
  int number = 1;
  ~thing()
  {
    number = 0;
  }
};

static void work()
{
  delete new thing;
  delete[] new thing[10];
  delete new (std::nothrow) thing;
  delete new line;
  delete[] new line[3];
  operator delete(operator new(40), std::size_t(40));
  operator delete[](operator new[](40), std::size_t(40));
  operator delete(operator new(40, std::align_val_t(128)), std::size_t(40), std::align_val_t(128));
}

int main()
{
  plant(work);
}
