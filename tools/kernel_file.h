// SPDX-License-Identifier: MIT
//
// The small files in which the kernel tells of itself and of processes, below /proc and /sys.
#ifndef TOOLS_KERNEL_FILE_H
#define TOOLS_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The first line, without its end. False, and "", if there is none.
bool kernel_file_line(const char *path, char *line, size_t room);
// The number that it begins with. False if it is none: "max", say.
bool kernel_file_number(const char *path, uint64_t *number);
// The number behind a word at the beginning of a line, as in /proc/PID/status and /proc/meminfo.
bool kernel_file_entry(const char *path, const char *word, uint64_t *number);

// Which memory gets huge pages: all, what asks for them (also where that is not known), or none.
enum huge_pages { HUGE_PAGES_ALWAYS, HUGE_PAGES_ASKED, HUGE_PAGES_NEVER };
// False if the kernel has none.
bool kernel_file_huge_pages(enum huge_pages *huge_pages);

#endif
