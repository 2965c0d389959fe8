// SPDX-License-Identifier: MIT
//
// Plays inputs from files and folders, then fresh ones for a while: random ones, and changed ones
// of those files. Needs no fuzzing engine; fuzz/libfuzzer.c is for the one that measures coverage.
//
// usage: adversarial [--seconds N] [FILE | FOLDER]...
//
// Of a violation the input is left in a file in the current folder, which is named; given as FILE,
// it is played REPEATS times, since where blocks lie differs from run to run.
#define _GNU_SOURCE 1
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../tests/support/support.h"
#include "server.h"

enum { MOST_BYTES = 512 * FUZZ_OPERATION_BYTES, MOST_INPUTS = 512, REPEATS = 20 };

struct input {
  uint8_t data[MOST_BYTES];
  size_t bytes;
};

static struct input inputs[MOST_INPUTS];
static size_t input_count;
static size_t played, told, faulted, violations;

static void keep(const struct input *input)
{
  char name[64];
  snprintf(name, sizeof name, "adversarial-violation-%zu-%zu", violations, played);
  FILE *file = fopen(name, "we");
  if (file == NULL) return;
  fwrite(input->data, 1, input->bytes, file);
  fclose(file);
  printf("the input is in %s\n", name);
}

static bool play(const struct input *input, bool is_kept)
{
  struct fuzz_outcome outcome = server_play(input->data, input->bytes);
  played++;
  told += outcome.has_told;
  faulted += outcome.has_faulted;
  if (!outcome.is_violation) return true;
  violations++;
  printf("VIOLATION: %s\n", outcome.text);
  if (is_kept) keep(input);
  return false;
}

static void read_file(const char *name)
{
  FILE *file = fopen(name, "re");
  if (file == NULL || input_count == MOST_INPUTS) {
    printf("cannot read %s\n", name);
    exit(TEST_FAIL);
  }
  struct input *input = &inputs[input_count++];
  input->bytes = fread(input->data, 1, MOST_BYTES, file);
  fclose(file);
}

static void read_all(const char *name)
{
  struct stat status;
  if (stat(name, &status) != 0 || !S_ISDIR(status.st_mode)) {
    read_file(name);
    return;
  }
  struct dirent **entries = NULL;
  int count = scandir(name, &entries, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", name, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.') read_file(path);
    free(entries[i]);
  }
  free(entries);
}

static void make_random(struct input *input, struct random *random)
{
  input->bytes = FUZZ_OPERATION_BYTES * (1 + random_below(random, 300));
  for (size_t i = 0; i < input->bytes; i++) input->data[i] = (uint8_t)random_next(random);
  // Few slots and small sizes: operations meet.
  size_t slots = 1 + random_below(random, 64);
  bool is_small = random_below(random, 2) == 0;
  for (size_t i = 0; i < input->bytes; i += FUZZ_OPERATION_BYTES) {
    input->data[i + 1] = (uint8_t)(input->data[i + 1] % slots);
    if (is_small) input->data[i + 3] &= 0x71;
    // Misuses end most sequences: the longer one is, the fewer it has of them.
    uint8_t *action = &input->data[i];
    bool is_misuse = *action % 16 >= 9 && *action % 16 != 14;
    if (is_misuse && random_below(random, input->bytes / 24 + 1) != 0) *action %= 9;
  }
}

static void change(struct input *input, struct random *random)
{
  *input = inputs[random_below(random, input_count)];
  size_t times = 1 + random_below(random, 8);
  for (size_t i = 0; i < times && input->bytes > 0; i++) {
    input->data[random_below(random, input->bytes)] = (uint8_t)random_next(random);
  }
}

static void play_fresh(double seconds)
{
  static struct input input;
  struct random random = {random_seed()};
  time_t start = time(NULL);
  while (difftime(time(NULL), start) < seconds) {
    if (input_count > 0 && random_below(&random, 3) == 0) {
      change(&input, &random);
    } else {
      make_random(&input, &random);
    }
    play(&input, true);
  }
}

int main(int count, char **arguments)
{
  double seconds = 0;
  for (int i = 1; i < count; i++) {
    if (strcmp(arguments[i], "--seconds") == 0 && i + 1 < count) {
      seconds = strtod(arguments[++i], NULL);
    } else {
      read_all(arguments[i]);
    }
  }
  if (getenv("MEND_TEST_LONG") != NULL) seconds *= 20;
  size_t repeats = input_count < REPEATS ? REPEATS : 2;
  for (size_t i = 0; i < input_count; i++) {
    for (size_t j = 0; j < repeats; j++) play(&inputs[i], false);
  }
  play_fresh(seconds);
  printf("%zu sequences: %zu ended by mend with a message, %zu by a fault of their own, "
         "%zu violations\n",
         played, told, faulted, violations);
  return violations == 0 ? TEST_PASS : TEST_FAIL;
}
