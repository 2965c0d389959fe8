// SPDX-License-Identifier: MIT
#include "proto.h"

#include <stdlib.h>
#include <string.h>

// How a field's value is written.
enum { WIRE_NUMBER = 0, WIRE_BYTES = 2 };

enum { NUMBER_MOST = 10 };  // bytes that a number takes

void proto_free(struct proto *proto)
{
  free(proto->bytes);
  *proto = (struct proto){0};
}

static bool make_room(struct proto *proto, size_t bytes)
{
  if (proto->has_failed) return false;
  if (bytes <= proto->room - proto->length) return true;
  size_t room = proto->room * 2 > 256 ? proto->room * 2 : 256;
  if (room - proto->length < bytes) room = proto->length + bytes;
  unsigned char *larger = realloc(proto->bytes, room);
  proto->has_failed = larger == NULL;
  if (larger == NULL) return false;
  proto->bytes = larger;
  proto->room = room;
  return true;
}

void proto_element(struct proto *proto, uint64_t value)
{
  if (!make_room(proto, NUMBER_MOST)) return;
  for (; value >= 128; value >>= 7) {
    proto->bytes[proto->length++] = (unsigned char)(value | 128);
  }
  proto->bytes[proto->length++] = (unsigned char)value;
}

static void add_tag(struct proto *proto, uint32_t field, unsigned wire)
{
  proto_element(proto, (uint64_t)field << 3 | wire);
}

void proto_number(struct proto *proto, uint32_t field, uint64_t value)
{
  if (value == 0) return;
  add_tag(proto, field, WIRE_NUMBER);
  proto_element(proto, value);
}

static void add_bytes(struct proto *proto, uint32_t field, const void *bytes, size_t length)
{
  add_tag(proto, field, WIRE_BYTES);
  proto_element(proto, length);
  if (length == 0 || !make_room(proto, length)) return;
  memcpy(proto->bytes + proto->length, bytes, length);
  proto->length += length;
}

void proto_text(struct proto *proto, uint32_t field, const char *text)
{
  add_bytes(proto, field, text, strlen(text));
}

void proto_message(struct proto *proto, uint32_t field, struct proto *message)
{
  add_bytes(proto, field, message->bytes, message->length);
  proto->has_failed |= message->has_failed;
  message->length = 0;
}
