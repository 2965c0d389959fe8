// SPDX-License-Identifier: MIT
//
// Looking at memory that may not be there: the words of a damaged stack, the surroundings of a
// pointer that is wrong. The kernel is made to read a word, and says if it cannot. It is asked once
// for each os page; what the page holds is then read as it is. Should another thread take the page
// away in between, the read faults: that is not prevented.
//
// Nothing here allocates or locks, and errno stays: it may be used in signal handlers.
#ifndef OS_PROBE_H
#define OS_PROBE_H

#include "base/internal.h"

// What has been found of the os page that was looked at last. Begins as zeros, of no page.
struct os_probe {
  uintptr_t page;  // its address with bit 0 set: 0 is none
  bool is_readable;
};

// Whether the os page of an address can be read.
INTERNAL bool os_probe_is_readable(struct os_probe *probe, uintptr_t address);
// Reads one byte; false if it cannot be read.
INTERNAL bool os_probe_byte(struct os_probe *probe, uintptr_t address, uint8_t *byte);
// Reads the word at an address that is a multiple of 8; false if it cannot be read.
INTERNAL bool os_probe_word(struct os_probe *probe, uintptr_t address, uintptr_t *word);
// Reads 1 to 8 bytes at any address as a number, the lowest first; false if one cannot be read.
INTERNAL bool os_probe_bytes(struct os_probe *probe, uintptr_t address, size_t count,
                             uint64_t *value);

#endif
