// SPDX-License-Identifier: MIT
//
// What the planted programs share. A scan for addresses cannot tell an old copy of one, left in a
// register or in a part of the stack that nobody has written since, from one that is in use. So
// that a verdict is what the program says and not what the compiler did, blocks are lost far down
// the stack, and what was there is overwritten.
#ifndef LEAKS_PLANT_H
#define LEAKS_PLANT_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PLANT_ROOM = 1 << 16 };

// A link of whatever shape a program makes.
struct node {
  struct node *next;
  struct node *other;
};

__attribute__((noinline, unused)) static void plant_wipe(void)
{
  volatile char room[2 * PLANT_ROOM];
  for (size_t i = 0; i < sizeof room; i++) room[i] = 0;
}

// Calls `work` far below the caller.
__attribute__((noinline, unused)) static void plant_below(void (*work)(void))
{
  volatile char room[PLANT_ROOM];
  room[0] = 0;
  work();
  room[PLANT_ROOM - 1] = room[0];
}

__attribute__((noinline, unused)) static void plant(void (*work)(void))
{
  plant_below(work);
  plant_wipe();
}

// The compiler takes it that somebody uses the block.
__attribute__((unused)) static void plant_use(void *block)
{
  __asm__ volatile("" : : "r"(block) : "memory");
}

__attribute__((unused)) static struct node *plant_node(void)
{
  return (struct node *)calloc(1, sizeof(struct node));
}

// An address as no scan knows it, and back. (The first handles of a program are small numbers,
// which are everywhere: programs that lose one lose a later one.)
__attribute__((unused)) static uintptr_t plant_hide(void *block)
{
  return ~(uintptr_t)block;
}

__attribute__((unused)) static void *plant_seek(uintptr_t hidden)
{
  return (void *)~hidden;
}

#endif
