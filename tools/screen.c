// SPDX-License-Identifier: MIT
#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[H\033[J"
#define LEAVE "\033[?25h\033[?1049l"

static struct termios before;
static volatile sig_atomic_t is_taken;

static void write_all(const char *text, size_t length)
{
  while (length > 0) {
    ssize_t count = write(STDOUT_FILENO, text, length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text += count;
    length -= (size_t)count;
  }
}

void screen_end(void)
{
  if (!is_taken) return;
  is_taken = 0;
  write_all(LEAVE, strlen(LEAVE));
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void end_by_signal(int number)
{
  screen_end();
  signal(number, SIG_DFL);
  raise(number);
}

static void note_size(int number)
{
  (void)number;  // it is enough that the wait for keys ends
}

static void catch_signals(void)
{
  static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  struct sigaction action = {.sa_handler = end_by_signal};
  for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) sigaction(deadly[i], &action, NULL);
  action.sa_handler = note_size;
  sigaction(SIGWINCH, &action, NULL);
}

bool screen_begin(void)
{
  if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) return false;
  struct termios raw = before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  catch_signals();
  if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
  is_taken = 1;
  write_all(ENTER, strlen(ENTER));
  return true;
}

struct screen_size screen_size(void)
{
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20 || size.ws_row < 4) {
    return (struct screen_size){80, 24};
  }
  return (struct screen_size){size.ws_col, size.ws_row};
}

void screen_paint(const char *text)
{
  static const char line_end[] = "\033[K\r\n";
  struct screen_size size = screen_size();
  write_all("\033[H", 3);
  for (size_t row = 0; row + 1 < size.rows && *text != '\0'; row++) {
    size_t length = strcspn(text, "\n");
    write_all(text, length < size.columns ? length : size.columns);
    write_all(line_end, sizeof line_end - 1);
    text += length;
    if (*text == '\n') text++;
  }
  write_all("\033[J", 3);
}

int screen_wait_key(int milliseconds)
{
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  unsigned char key;
  int ready = poll(&input, 1, milliseconds);
  if (ready <= 0) return 0;
  return read(STDIN_FILENO, &key, 1) == 1 ? key : -1;
}

void screen_sleep(int milliseconds)
{
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) continue;
}
