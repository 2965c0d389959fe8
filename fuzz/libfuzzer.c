// SPDX-License-Identifier: MIT
//
// The same for libFuzzer. An input is played in a child, where the engine does not see what is
// reached: so the child's counters are copied to the parent's.
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../tests/support/support.h"
#include "server.h"

// One counter an edge, by the compiler (-fsanitize=fuzzer-no-link); the linker names their ends.
extern uint8_t counters_start[] __asm__("__start___sancov_cntrs");
extern uint8_t counters_stop[] __asm__("__stop___sancov_cntrs");

static uint8_t *reached;

static size_t counter_bytes(void)
{
  return (size_t)(counters_stop - counters_start);
}

static void hand_over(void)
{
  memcpy(reached, counters_start, counter_bytes());
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
  if (reached == NULL) {
    reached =
        mmap(NULL, counter_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(reached != MAP_FAILED);
    server_at_child_end = hand_over;
  }
  struct fuzz_outcome outcome = server_play(input, bytes);
  memcpy(counters_start, reached, counter_bytes());
  if (outcome.is_violation) {
    fprintf(stderr, "VIOLATION: %s\n", outcome.text);
    abort();
  }
  return 0;
}
