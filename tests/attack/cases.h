// SPDX-License-Identifier: MIT
//
// What carries the threats of the table out, and the ways of each: a name for each, NULL at the
// end.
#ifndef TESTS_ATTACK_CASES_H
#define TESTS_ATTACK_CASES_H

#include <string.h>

#include "attack.h"
#include "functions.h"
#include "oracle.h"

// double_free.c
extern const char *const double_free_ways[], *const double_free_threads[];
extern const char *const double_free_forks[], *const double_free_reallocs[];
void run_double_free(const struct attack *attack);
void run_double_free_threads(const struct attack *attack);
void run_double_free_fork(const struct attack *attack);
void run_double_free_realloc(const struct attack *attack);
void run_double_free_source(const struct attack *attack);  // ways: source_names
void run_use_of_freed(const struct attack *attack);        // ways: use_names

// invalid_free.c
extern const char *const foreign_ways[], *const interior_ways[], *const forged_ways[];
extern const char *const invalid_places[];
void run_free_foreign(const struct attack *attack);
void run_realloc_foreign(const struct attack *attack);
void run_usable_size_foreign(const struct attack *attack);
void run_delete_foreign(const struct attack *attack);
void run_free_sized_foreign(const struct attack *attack);
void run_free_interior(const struct attack *attack);
void run_use_interior(const struct attack *attack);  // ways: use_names
void run_free_forged(const struct attack *attack);
void run_free_elsewhere(const struct attack *attack);

// wrong_kind.c
extern const char *const kind_ways[], *const size_ways[], *const alignment_ways[];
void run_wrong_kind(const struct attack *attack);
void run_wrong_size(const struct attack *attack);
void run_wrong_alignment(const struct attack *attack);

// overflow.c
extern const char *const overflow_ways[], *const underflow_ways[], *const overflow_frees[];
extern const char *const slack_ways[], *const sweep_ways[], *const long_ways[];
extern const char *const large_edges[];
void run_overflow(const struct attack *attack);
void run_overflow_source(const struct attack *attack);  // ways: source_names
void run_overflow_freed(const struct attack *attack);
void run_slack(const struct attack *attack);
void run_sweep(const struct attack *attack);
void run_overflow_long(const struct attack *attack);
void run_overread(const struct attack *attack);
void run_large_edge(const struct attack *attack);

// after_free.c
extern const char *const write_ways[], *const read_ways[];
extern const char *const touch_ways[], *const scan_ways[];
void run_write_after_free(const struct attack *attack);
void run_read_after_free(const struct attack *attack);
void run_touch_after_free(const struct attack *attack);
void run_scan_for_pointers(const struct attack *attack);

// promises.c
extern const char *const zero_ways[], *const one_way[], *const wrap_ways[];
void run_zero_size(const struct attack *attack);
void run_execute(const struct attack *attack);      // ways: source_names
void run_usable_size(const struct attack *attack);  // ways: source_names
void run_calloc_clean(const struct attack *attack);
void run_calloc_after_write(const struct attack *attack);
void run_old_contents(const struct attack *attack);
void run_size_wrap(const struct attack *attack);

#endif
