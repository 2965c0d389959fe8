// SPDX-License-Identifier: MIT
#include "stats/exit_file.h"

#include <errno.h>
#include <string.h>

#include "base/format.h"
#include "base/options.h"
#include "base/output.h"
#include "mend/stats.h"
#include "os/file.h"
#include "os/system.h"

static size_t exit_file_process;  // the first one

INTERNAL void exit_file_start(void)
{
  exit_file_process = os_process_id();
}

static enum mend_stats_format wanted_format(void)
{
  static const char *const names[] = {"text", "json", "openmetrics", "prometheus", "xml"};
  const char *wanted = options_text(options.stats_format, "json");
  for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(wanted, names[i]) == 0) return (enum mend_stats_format)i;
  }
  return MEND_STATS_JSON;
}

INTERNAL void exit_file_write(void)
{
  static char name[OPTIONS_TEXT_BYTES + 64];  // at the exit there is one
  int saved_errno = errno;
  size_t process = os_process_id();
  struct format format = format_begin(name, sizeof name - 1);
  format_file_name(&format, options_text(options.stats_file, ""), "", process,
                   process == exit_file_process);
  *format.at = '\0';
  int file = os_file_create(name);
  if (file < 0 || !mend_stats_write(file, wanted_format())) {
    output_complain("the statistics cannot be written", errno, name);
  }
  if (file >= 0) os_file_close(file);
  errno = saved_errno;
}
