// SPDX-License-Identifier: MIT
//
// Objects of a workload, whatever they are to the program: handles, or blocks of malloc. A *store*
// says how one is made, found and ended; the *field* is all that live, in a table outside the heap.
//
// An object is written in full when it is made: its size and number in the first eight bytes,
// and a byte of both in all others. It is checked in full before it is ended and whenever all are
// checked, so an object that was lost, swapped, cut or torn by a move is noticed. A difference ends
// the program.
#ifndef BENCH_OBJECTS_H
#define BENCH_OBJECTS_H

#include "common.h"

enum { OBJECT_MIN = 16 };

struct store {
  uint64_t (*make)(size_t size, bool is_still);  // a new object's name; still: it never moves
  void *(*open)(uint64_t name);                  // its address, good until the next pass
  void (*pin)(uint64_t name);                    // holds it where it is
  void (*end)(uint64_t name);
  size_t (*usable)(uint64_t name, size_t size);  // what its block holds
};

struct object {
  uint64_t name;  // 0: none
  uint32_t size;
  uint32_t number : 31;   // how many were made before it
  uint32_t is_fixed : 1;  // it must not move, and no random deletion takes it
};

struct field {
  const struct store *store;
  struct random random;
  struct object *objects;
  size_t count;         // places in use, some of them perhaps without an object
  size_t capacity;      // places there are
  size_t bytes;         // asked for the live objects
  size_t made;          // objects so far
  uintptr_t low, high;  // between which addresses all objects have been
};

static inline struct field field_open(const struct store *store, size_t capacity)
{
  return (struct field){.store = store,
                        .random = random_seeded(1),
                        .objects = table_map(capacity * sizeof(struct object)),
                        .capacity = capacity,
                        .low = UINTPTR_MAX};
}

struct sizes {
  uint32_t low, high;
};

static inline bool by_chance(struct field *field, unsigned percent)
{
  return random_below(&field->random, 100) < percent;
}

static inline size_t size_from(struct field *field, struct sizes sizes)
{
  return random_between(&field->random, sizes.low, sizes.high);
}

static inline unsigned char object_tag(const struct object *object)
{
  return (unsigned char)(object->number * 31 + object->size * 7 + 1);
}

static inline void object_write(const struct object *object, unsigned char *block)
{
  const uint32_t head[2] = {object->size, object->number};
  memset(block, object_tag(object), object->size);
  memcpy(block, head, sizeof head);
}

static inline void object_check(const struct object *object, const unsigned char *block)
{
  uint32_t head[2];
  if (block == NULL) die("an object is lost");
  memcpy(head, block, sizeof head);
  if (head[0] != object->size || head[1] != object->number) die("another object's contents");
  const unsigned char *rest = block + sizeof head;
  const size_t rest_bytes = object->size - sizeof head;
  if (rest[0] != object_tag(object) || memcmp(rest, rest + 1, rest_bytes - 1) != 0)
    die("an object's contents have changed");
}

// Makes an object in a place that has none.
static inline void object_make(struct field *field, size_t place, size_t size, bool is_still)
{
  struct object *object = &field->objects[place];
  *object = (struct object){.name = field->store->make(size, is_still), .size = (uint32_t)size};
  object->number = (uint32_t)field->made++ & 0x7fffffff;
  unsigned char *block = object->name != 0 ? field->store->open(object->name) : NULL;
  if (block == NULL) die("there is no memory for an object");
  object_write(object, block);
  const uintptr_t address = (uintptr_t)block;
  if (address < field->low) field->low = address;
  if (address + size > field->high) field->high = address + size;
  field->bytes += size;
}

// Checks and ends the object of a place, which then has none.
static inline void object_end(struct field *field, size_t place)
{
  struct object *object = &field->objects[place];
  object_check(object, field->store->open(object->name));
  field->store->end(object->name);
  field->bytes -= object->size;
  object->name = 0;
}

// The same in a field that is added to at its end and has no empty place: the last object comes to
// the place.
static inline void field_add(struct field *field, size_t size, bool is_still)
{
  if (field->count == field->capacity) die("the table of objects is too small");
  object_make(field, field->count++, size, is_still);
}

static inline void field_drop(struct field *field, size_t place)
{
  object_end(field, place);
  field->objects[place] = field->objects[--field->count];
}

// What is live. Checks every object.
struct field_live {
  size_t objects;
  size_t usable_bytes;
};

static inline struct field_live field_check(struct field *field)
{
  struct field_live live = {0, 0};
  for (size_t i = 0; i < field->count; i++) {
    const struct object *object = &field->objects[i];
    if (object->name == 0) continue;
    object_check(object, field->store->open(object->name));
    live.objects++;
    live.usable_bytes += field->store->usable(object->name, object->size);
  }
  return live;
}

#endif
