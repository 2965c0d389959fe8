// SPDX-License-Identifier: MIT
//
// A terminal as a screen that is painted again and again, and whose keys are read one by one.
// Whatever ends the command by a signal that people send leaves the terminal as it was.
#ifndef TOOLS_SCREEN_H
#define TOOLS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct screen_size {
  size_t columns;
  size_t rows;
};

// Takes over the terminal; false if there is none. And gives it back.
bool screen_begin(void);
void screen_end(void);
struct screen_size screen_size(void);
// Paints lines of text, cut to what fits. Each begins in the left column.
void screen_paint(const char *text);
// Waits so many milliseconds for a key; 0 if none came, or the size has changed; -1 if there will
// be none any more.
int screen_wait_key(int milliseconds);
// The same where nothing was taken over: waits alone.
void screen_sleep(int milliseconds);

#endif
