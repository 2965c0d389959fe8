// clean
// SPDX-License-Identifier: MIT
//
// Marks in the low bits of an address.
// memcheck: possible 2 blocks 48 bytes: it calls what is held by an address of its middle possibly
// lost
#include "plant.h"

static uintptr_t kept[2];

static void keep(void)
{
  kept[0] = (uintptr_t)malloc(16) | 1;
  kept[1] = (uintptr_t)malloc(32) | 7;
}

int main(void)
{
  plant(keep);
  return kept[0] == kept[1];
}
