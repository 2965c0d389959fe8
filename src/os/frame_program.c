// SPDX-License-Identifier: MIT
#include "os/frame_program.h"

enum {
  REMEMBERED_MOST = 8,
  // The registers that matter, by their numbers in DWARF.
  FRAME_POINTER = 6,
  STACK_POINTER = 7,
  RETURN_ADDRESS = 16,
};

// Steps; the first three have an operand in their lower bits.
enum frame_step {
  STEP_ADVANCE = 0x40,
  STEP_OFFSET = 0x80,
  STEP_RESTORE = 0xc0,
  STEP_KIND = 0xc0,
  STEP_NOTHING = 0x00,
  STEP_ADVANCE_1 = 0x02,
  STEP_ADVANCE_2 = 0x03,
  STEP_ADVANCE_4 = 0x04,
  STEP_OFFSET_EXTENDED = 0x05,
  STEP_RESTORE_EXTENDED = 0x06,
  STEP_UNDEFINED = 0x07,
  STEP_SAME_VALUE = 0x08,
  STEP_REGISTER = 0x09,
  STEP_REMEMBER_STATE = 0x0a,
  STEP_RESTORE_STATE = 0x0b,
  STEP_BASE = 0x0c,
  STEP_BASE_REGISTER = 0x0d,
  STEP_BASE_OFFSET = 0x0e,
  STEP_BASE_EXPRESSION = 0x0f,
  STEP_EXPRESSION = 0x10,
  STEP_OFFSET_SIGNED = 0x11,
  STEP_BASE_SIGNED = 0x12,
  STEP_BASE_OFFSET_SIGNED = 0x13,
  STEP_VALUE_OFFSET = 0x14,
  STEP_VALUE_OFFSET_SIGNED = 0x15,
  STEP_VALUE_EXPRESSION = 0x16,
  STEP_ARGUMENTS_SIZE = 0x2e,
  STEP_OFFSET_NEGATIVE = 0x2f,
};

// Expressions that are understood: a register and an offset, perhaps the word there.
enum { OPERATION_DEREFERENCE = 0x06, OPERATION_REGISTER = 0x70 };

// Where the caller's value of a register is.
enum frame_place_kind {
  FRAME_PLACE_KEPT,
  FRAME_PLACE_BELOW,
  FRAME_PLACE_BESIDE,
  FRAME_PLACE_UNDEFINED,
  FRAME_PLACE_OTHER
};
struct frame_place {
  enum frame_place_kind kind;
  int64_t offset;  // from the base, or from the frame pointer
};

// How the frame is at one instruction. The base is where the caller's stack begins.
struct frame_row {
  uint64_t base_register;
  int64_t base_offset;
  bool is_base_at;     // what lies there is the base
  bool is_base_other;  // nothing of the kind
  struct frame_place frame_pointer;
  struct frame_place return_address;
};

struct frame_machine {
  struct os_reader reader;
  const struct os_frame_common *common;
  uintptr_t here, target;  // distances from the function's start
  struct frame_row row;
  struct frame_row initial;
  struct frame_row remembered[REMEMBERED_MOST];
  size_t remembered_count;
};

static void set_place(struct frame_machine *machine, uint64_t number, enum frame_place_kind kind,
                      int64_t offset)
{
  struct frame_place place = {kind, offset};
  if (number == FRAME_POINTER) machine->row.frame_pointer = place;
  if (number == RETURN_ADDRESS) machine->row.return_address = place;
}

static void restore_place(struct frame_machine *machine, uint64_t number)
{
  if (number == FRAME_POINTER) machine->row.frame_pointer = machine->initial.frame_pointer;
  if (number == RETURN_ADDRESS) machine->row.return_address = machine->initial.return_address;
}

static int64_t scaled(const struct frame_machine *machine, uint64_t count)
{
  return (int64_t)(count * (uint64_t)machine->common->data_step);
}

static void set_base(struct frame_machine *machine, uint64_t number, int64_t offset)
{
  machine->row.base_register = number;
  machine->row.base_offset = offset;
  machine->row.is_base_at = false;
  machine->row.is_base_other = false;
}

// "register + offset" or "what lies at register + offset"; false: something else. Past it anyway.
static bool take_expression(struct os_reader *reader, uint64_t *number, int64_t *offset,
                            bool *is_at)
{
  uint64_t bytes = os_reader_number(reader);
  uintptr_t end = reader->at + bytes;
  if (bytes > reader->end - reader->at) {
    (void)os_reader_fail(reader);
    return false;
  }
  struct os_reader inner = *reader;
  inner.end = end;
  reader->at = end;
  uint64_t operation = os_reader_take(&inner, 1);
  *number = operation - OPERATION_REGISTER;
  *offset = os_reader_signed(&inner);
  *is_at = inner.at < inner.end;
  if (*is_at && os_reader_take(&inner, 1) != OPERATION_DEREFERENCE) return false;
  return !inner.has_failed && inner.at == inner.end &&
         (*number == FRAME_POINTER || *number == STACK_POINTER);
}

static void take_base_expression(struct frame_machine *machine)
{
  uint64_t number = 0;
  int64_t offset = 0;
  bool is_at = false;
  bool is_known = take_expression(&machine->reader, &number, &offset, &is_at);
  set_base(machine, number, offset);
  machine->row.is_base_at = is_at;
  machine->row.is_base_other = !is_known;
}

static void take_place_expression(struct frame_machine *machine)
{
  uint64_t saved = os_reader_number(&machine->reader);
  uint64_t number = 0;
  int64_t offset = 0;
  bool is_at = false;
  bool is_known = take_expression(&machine->reader, &number, &offset, &is_at) && !is_at &&
                  number == FRAME_POINTER;
  set_place(machine, saved, is_known ? FRAME_PLACE_BESIDE : FRAME_PLACE_OTHER, offset);
}

static void remember_row(struct frame_machine *machine)
{
  if (machine->remembered_count == REMEMBERED_MOST) {
    (void)os_reader_fail(&machine->reader);
  } else {
    machine->remembered[machine->remembered_count++] = machine->row;
  }
}

static void recall_row(struct frame_machine *machine)
{
  if (machine->remembered_count == 0) {
    (void)os_reader_fail(&machine->reader);
  } else {
    machine->row = machine->remembered[--machine->remembered_count];
  }
}

static void advance_rows(struct frame_machine *machine, uint64_t steps)
{
  uint64_t bytes = steps * machine->common->code_step;
  bool is_past = bytes > machine->target - machine->here;
  machine->here = is_past ? machine->target + 1 : machine->here + bytes;
}

// About a register other than the base's.
static void take_register_step(struct frame_machine *machine, unsigned step)
{
  struct os_reader *reader = &machine->reader;
  uint64_t number = os_reader_number(reader);
  switch (step) {
  case STEP_OFFSET_EXTENDED:
    set_place(machine, number, FRAME_PLACE_BELOW, scaled(machine, os_reader_number(reader)));
    break;
  case STEP_OFFSET_SIGNED:
    set_place(machine, number, FRAME_PLACE_BELOW,
              scaled(machine, (uint64_t)os_reader_signed(reader)));
    break;
  case STEP_OFFSET_NEGATIVE:
    set_place(machine, number, FRAME_PLACE_BELOW, scaled(machine, -os_reader_number(reader)));
    break;
  case STEP_RESTORE_EXTENDED:
    restore_place(machine, number);
    break;
  case STEP_UNDEFINED:
    set_place(machine, number, FRAME_PLACE_UNDEFINED, 0);
    break;
  case STEP_SAME_VALUE:
    set_place(machine, number, FRAME_PLACE_KEPT, 0);
    break;
  case STEP_REGISTER:
  case STEP_VALUE_OFFSET:
  case STEP_VALUE_OFFSET_SIGNED:  // as long, with a sign or without
    (void)os_reader_number(reader);
    set_place(machine, number, FRAME_PLACE_OTHER, 0);
    break;
  case STEP_VALUE_EXPRESSION:
    os_reader_skip(reader, os_reader_number(reader));
    set_place(machine, number, FRAME_PLACE_OTHER, 0);
    break;
  default:
    (void)os_reader_fail(reader);
  }
}

// About the base.
static void take_base_step(struct frame_machine *machine, unsigned step)
{
  struct os_reader *reader = &machine->reader;
  uint64_t number = machine->row.base_register;
  switch (step) {
  case STEP_BASE:
    number = os_reader_number(reader);
    set_base(machine, number, (int64_t)os_reader_number(reader));
    break;
  case STEP_BASE_SIGNED:
    number = os_reader_number(reader);
    set_base(machine, number, scaled(machine, (uint64_t)os_reader_signed(reader)));
    break;
  case STEP_BASE_REGISTER:
    set_base(machine, os_reader_number(reader), machine->row.base_offset);
    break;
  case STEP_BASE_OFFSET:
    set_base(machine, number, (int64_t)os_reader_number(reader));
    break;
  default:
    set_base(machine, number, scaled(machine, (uint64_t)os_reader_signed(reader)));
  }
}

static void take_other_step(struct frame_machine *machine, unsigned step)
{
  struct os_reader *reader = &machine->reader;
  switch (step) {
  case STEP_NOTHING:
    break;
  case STEP_ADVANCE_1:
    advance_rows(machine, os_reader_take(reader, 1));
    break;
  case STEP_ADVANCE_2:
    advance_rows(machine, os_reader_take(reader, 2));
    break;
  case STEP_ADVANCE_4:
    advance_rows(machine, os_reader_take(reader, 4));
    break;
  case STEP_REMEMBER_STATE:
    remember_row(machine);
    break;
  case STEP_RESTORE_STATE:
    recall_row(machine);
    break;
  case STEP_BASE:
  case STEP_BASE_SIGNED:
  case STEP_BASE_REGISTER:
  case STEP_BASE_OFFSET:
  case STEP_BASE_OFFSET_SIGNED:
    take_base_step(machine, step);
    break;
  case STEP_BASE_EXPRESSION:
    take_base_expression(machine);
    break;
  case STEP_EXPRESSION:
    take_place_expression(machine);
    break;
  case STEP_ARGUMENTS_SIZE:
    (void)os_reader_number(reader);
    break;
  default:
    take_register_step(machine, step);
  }
}

static void run_program(struct frame_machine *machine, struct os_reader program)
{
  machine->reader = program;
  while (machine->reader.at < machine->reader.end && machine->here <= machine->target) {
    unsigned step = (unsigned)os_reader_take(&machine->reader, 1);
    unsigned operand = step & (unsigned)~STEP_KIND;
    switch (step & STEP_KIND) {
    case STEP_ADVANCE:
      advance_rows(machine, operand);
      break;
    case STEP_OFFSET:
      set_place(machine, operand, FRAME_PLACE_BELOW,
                scaled(machine, os_reader_number(&machine->reader)));
      break;
    case STEP_RESTORE:
      restore_place(machine, operand);
      break;
    default:
      take_other_step(machine, step);
    }
  }
}

static void put_saved(const struct frame_place *place, struct os_unwind_rule *rule)
{
  bool is_near = place->offset % 8 == 0 && place->offset / 8 == (int16_t)(place->offset / 8);
  if (place->kind == FRAME_PLACE_KEPT) {
    rule->saved = OS_UNWIND_KEPT;
  } else if ((place->kind == FRAME_PLACE_BELOW || place->kind == FRAME_PLACE_BESIDE) && is_near) {
    rule->saved = place->kind == FRAME_PLACE_BELOW ? OS_UNWIND_BELOW : OS_UNWIND_BESIDE;
    rule->saved_words = (int16_t)(place->offset / 8);
  }
}

static struct os_unwind_rule rule_of(const struct frame_row *row, bool is_signal)
{
  struct os_unwind_rule rule = {.kind = OS_UNWIND_NONE, .saved = OS_UNWIND_LOST};
  const struct frame_place *back = &row->return_address;
  bool is_by_sp = row->base_register == STACK_POINTER;
  if (is_signal) {
    rule.kind = OS_UNWIND_SIGNAL;
  } else if (back->kind == FRAME_PLACE_UNDEFINED) {
    rule.kind = OS_UNWIND_END;
  } else if (back->kind == FRAME_PLACE_BELOW && back->offset == -8 && !row->is_base_other &&
             row->base_offset == (int32_t)row->base_offset &&
             (is_by_sp || row->base_register == FRAME_POINTER)) {
    unsigned direct = is_by_sp ? OS_UNWIND_SP : OS_UNWIND_FP;
    unsigned at = is_by_sp ? OS_UNWIND_AT_SP : OS_UNWIND_AT_FP;
    rule.kind = (uint8_t)(row->is_base_at ? at : direct);
    rule.offset = (int32_t)row->base_offset;
    put_saved(&row->frame_pointer, &rule);
  }
  return rule;
}

INTERNAL struct os_unwind_rule os_frame_program_run(const struct os_frame_common *common,
                                                    struct os_reader program, uintptr_t distance)
{
  struct frame_machine machine;
  machine.common = common;
  machine.here = 0;
  machine.target = distance;
  machine.remembered_count = 0;
  machine.row = (struct frame_row){.is_base_other = true, .return_address = {FRAME_PLACE_OTHER, 0}};
  machine.initial = machine.row;
  run_program(&machine, common->program);
  bool has_failed = machine.reader.has_failed;
  machine.initial = machine.row;
  machine.here = 0;
  run_program(&machine, program);
  if (has_failed || machine.reader.has_failed) {
    return (struct os_unwind_rule){.kind = OS_UNWIND_NONE, .saved = OS_UNWIND_LOST};
  }
  return rule_of(&machine.row, common->is_signal);
}
