// SPDX-License-Identifier: MIT
//
// Messages of protocol buffers, written into memory. A message within another is written into a
// buffer of its own and then added as a field. Once memory is short nothing more is added, and
// `has_failed` says so.
#ifndef TOOLS_PROTO_H
#define TOOLS_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proto {
  unsigned char *bytes;
  size_t length, room;
  bool has_failed;
};

void proto_free(struct proto *proto);

// Fields by their numbers. A number of 0 is what readers take a missing field for: it is left out.
void proto_number(struct proto *proto, uint32_t field, uint64_t value);
void proto_text(struct proto *proto, uint32_t field, const char *text);
// Adds a message and empties it.
void proto_message(struct proto *proto, uint32_t field, struct proto *message);

// One element of a packed field, which is added as bytes.
void proto_element(struct proto *proto, uint64_t value);

#endif
