// SPDX-License-Identifier: MIT
//
// Numbers that lie one behind the other in memory that may not be there, in the forms that DWARF
// has for them. No byte is read beyond the end, or of a page that the kernel cannot read
// (os/probe.h). Once something has failed, all numbers are 0, and there are no more.
#ifndef OS_READER_H
#define OS_READER_H

#include "os/probe.h"

struct os_reader {
  struct os_probe probe;
  uintptr_t at;
  uintptr_t end;  // never below `at`
  bool has_failed;
};

static inline struct os_reader os_reader_of(uintptr_t from, uintptr_t to)
{
  return (struct os_reader){.at = from, .end = to < from ? from : to};
}

// Says that what was read makes no sense. 0.
INTERNAL uint64_t os_reader_fail(struct os_reader *reader);
// So many bytes, 1 to 8, as a number.
INTERNAL uint64_t os_reader_take(struct os_reader *reader, size_t bytes);
INTERNAL void os_reader_skip(struct os_reader *reader, uint64_t bytes);
// LEB128: seven bits in each byte, the lowest first.
INTERNAL uint64_t os_reader_number(struct os_reader *reader);
INTERNAL int64_t os_reader_signed(struct os_reader *reader);

// How an address is written: in a form, and relative to something.
enum {
  OS_ENCODED_ABSENT = 0xff,
  OS_ENCODED_FORM = 0x0f,
  OS_ENCODED_BASE = 0x70,
  OS_ENCODED_INDIRECT = 0x80,
};
INTERNAL uint64_t os_reader_form(struct os_reader *reader, unsigned form);
// `data`: what some are relative to.
INTERNAL uintptr_t os_reader_address(struct os_reader *reader, unsigned encoding, uintptr_t data);

#endif
