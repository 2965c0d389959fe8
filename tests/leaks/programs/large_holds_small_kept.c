// clean
// SPDX-License-Identifier: MIT
#include "plant.h"

static void **table;

static void keep(void)
{
  table = malloc(100000 * sizeof *table);
  memset(table, 0, 100000 * sizeof *table);
  for (size_t i = 0; i < 1000; i++) table[100 * i + 99] = malloc(16);
}

int main(void)
{
  plant(keep);
  return table == NULL;
}
