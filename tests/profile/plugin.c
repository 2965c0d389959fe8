// SPDX-License-Identifier: MIT
//
// A library that sites.c calls; the test takes its symbols away.
void plugin_load(void (*take)(const char *figures), const char *figures);

static __attribute__((noinline, noclone)) void inner(void (*take)(const char *),
                                                     const char *figures)
{
  take(figures);
  __asm__ volatile("");
}

void plugin_load(void (*take)(const char *figures), const char *figures)
{
  inner(take, figures);
  __asm__ volatile("");
}
