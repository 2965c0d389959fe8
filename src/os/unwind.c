// SPDX-License-Identifier: MIT
#include "os/unwind.h"

#include <string.h>

#include "base/annotate.h"
#include "os/code.h"
#include "os/eh_frame.h"
#include "os/probe.h"

enum { SETS_SHIFT = 12, WAYS = 4 };

#define MIX UINT64_C(0x9e3779b97f4a7c15)

struct rule_entry {
  _Atomic(uint64_t) key;   // seal of the address
  _Atomic(uint64_t) rule;  // 0: none
};

static struct {
  // A set is a line of the processor's cache.
  _Alignas(WAYS * sizeof(struct rule_entry)) struct rule_entry sets[1 << SETS_SHIFT][WAYS];
  _Atomic(uint32_t) victims;  // which of a set goes next when it is full
} rules;

static_assert(sizeof(struct os_unwind_rule) == sizeof(uint64_t), "a rule is a word");

static uint64_t seal(uintptr_t address, uint64_t rule, uint32_t edition)
{
  return address ^ (rule + ((uint64_t)edition << 8)) * MIX;
}

static bool find_rule(struct rule_entry *set, uintptr_t address, uint32_t edition,
                      struct os_unwind_rule *rule)
{
  for (size_t i = 0; i < WAYS; i++) {
    uint64_t word = atomic_load_explicit(&set[i].rule, memory_order_relaxed);
    uint64_t key = atomic_load_explicit(&set[i].key, memory_order_relaxed);
    if (word == 0 || key != seal(address, word, edition)) continue;
    memcpy(rule, &word, sizeof word);
    return true;
  }
  return false;
}

static void keep_rule(struct rule_entry *set, uintptr_t address, uint32_t edition,
                      struct os_unwind_rule rule)
{
  size_t way = 0;
  while (way < WAYS && atomic_load_explicit(&set[way].rule, memory_order_relaxed) != 0) way++;
  if (way == WAYS) {
    way = atomic_fetch_add_explicit(&rules.victims, 1, memory_order_relaxed) % WAYS;
  }
  uint64_t word;
  memcpy(&word, &rule, sizeof word);
  atomic_store_explicit(&set[way].rule, word, memory_order_relaxed);
  atomic_store_explicit(&set[way].key, seal(address, word, edition), memory_order_relaxed);
}

// mov $15, %rax; syscall: what handlers return to, which C libraries do not always describe.
static bool is_signal_return(uintptr_t address)
{
  static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  struct os_probe probe = {0, false};
  for (size_t i = 0; i < sizeof code; i++) {
    uint8_t byte;
    if (!os_probe_byte(&probe, address + i, &byte) || byte != code[i]) return false;
  }
  return true;
}

static struct os_unwind_rule make_rule(uintptr_t return_address)
{
  struct os_unwind_rule rule = {.kind = OS_UNWIND_NONE, .saved = OS_UNWIND_LOST};
  uintptr_t module;
  enum os_code_answer answer = os_code_find(return_address, &module);
  if (answer == OS_CODE_UNSURE) rule.kind = OS_UNWIND_UNSURE;
  if (answer != OS_CODE_FOUND) return rule;
  if (module != 0) rule = os_eh_frame_rule(module, return_address - 1);
  if (rule.kind == OS_UNWIND_NONE && is_signal_return(return_address)) {
    rule.kind = OS_UNWIND_SIGNAL;
  }
  return rule;
}

static NOINLINE struct os_unwind_rule add_rule(struct rule_entry *set, uintptr_t return_address,
                                               uint32_t edition)
{
  struct os_unwind_rule rule = make_rule(return_address);
  // If the mappings are others by now, nobody finds it: it is of the edition before.
  if (rule.kind != OS_UNWIND_UNSURE) keep_rule(set, return_address, edition, rule);
  return rule;
}

INTERNAL struct os_unwind_rule os_unwind_rule(uintptr_t return_address)
{
  struct rule_entry *set = rules.sets[return_address * MIX >> (64 - SETS_SHIFT)];
  uint32_t edition = os_code_edition();
  struct os_unwind_rule rule;
  if (LIKELY(find_rule(set, return_address, edition, &rule))) return rule;
  return add_rule(set, return_address, edition);
}
