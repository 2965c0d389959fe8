// SPDX-License-Identifier: MIT
#include "os/reader.h"

INTERNAL uint64_t os_reader_fail(struct os_reader *reader)
{
  reader->has_failed = true;
  reader->at = reader->end;
  return 0;
}

INTERNAL uint64_t os_reader_take(struct os_reader *reader, size_t bytes)
{
  uint64_t value;
  if (reader->end - reader->at < bytes) return os_reader_fail(reader);
  if (!os_probe_bytes(&reader->probe, reader->at, bytes, &value)) return os_reader_fail(reader);
  reader->at += bytes;
  return value;
}

INTERNAL void os_reader_skip(struct os_reader *reader, uint64_t bytes)
{
  if (reader->end - reader->at < bytes) {
    (void)os_reader_fail(reader);
  } else {
    reader->at += bytes;
  }
}

// LEB128: seven bits in each byte, the lowest first. *sign: the bits that continue a negative
// number.
static uint64_t take_groups(struct os_reader *reader, uint64_t *sign)
{
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    uint64_t byte = os_reader_take(reader, 1);
    if (reader->has_failed) break;
    value |= (byte & 0x7f) << shift;
    if ((byte & 0x80) != 0) continue;
    bool is_negative = (byte & 0x40) != 0 && shift + 7 < 64;
    *sign = is_negative ? ~UINT64_C(0) << (shift + 7) : 0;
    return value;
  }
  *sign = 0;
  return os_reader_fail(reader);
}

INTERNAL uint64_t os_reader_number(struct os_reader *reader)
{
  uint64_t sign;
  return take_groups(reader, &sign);
}

INTERNAL int64_t os_reader_signed(struct os_reader *reader)
{
  uint64_t sign;
  uint64_t value = take_groups(reader, &sign);
  return (int64_t)(value | sign);
}

INTERNAL uint64_t os_reader_form(struct os_reader *reader, unsigned form)
{
  switch (form) {
  case 0x0:  // an address
  case 0x4:
  case 0xc:
    return os_reader_take(reader, 8);
  case 0x1:
    return os_reader_number(reader);
  case 0x2:
    return os_reader_take(reader, 2);
  case 0x3:
    return os_reader_take(reader, 4);
  case 0x9:
    return (uint64_t)os_reader_signed(reader);
  case 0xa:
    return (uint64_t)(int16_t)os_reader_take(reader, 2);
  case 0xb:
    return (uint64_t)(int32_t)os_reader_take(reader, 4);
  default:
    return os_reader_fail(reader);
  }
}

INTERNAL uintptr_t os_reader_address(struct os_reader *reader, unsigned encoding, uintptr_t data)
{
  uintptr_t at = reader->at;
  uintptr_t value = (uintptr_t)os_reader_form(reader, encoding & OS_ENCODED_FORM);
  if ((encoding & OS_ENCODED_INDIRECT) != 0) return (uintptr_t)os_reader_fail(reader);
  switch (encoding & OS_ENCODED_BASE) {
  case 0x00:
    return value;
  case 0x10:
    return value + at;
  case 0x30:
    return value + data;
  default:
    return (uintptr_t)os_reader_fail(reader);
  }
}
