// SPDX-License-Identifier: MIT
//
// The threats: what is tried, what stands against it, what is told, and the least that must come of
// it at each level. docs/Security.md shows this table as the suite prints it.
#include "cases.h"

// The messages, as the hardened build words them.
#define NOT_OURS "free of a pointer that mend did not allocate"
#define UNUSED "free of memory that is not in use"
#define MISALIGNED "free of a misaligned pointer"
#define INSIDE "free of a pointer inside a block"
#define TWICE "double free"
// INSIDE: where the page has been given back, and another has taken its place.
#define NOT_LIVE TWICE "|" UNUSED "|" INSIDE
#define REALLOC_FREED "realloc of memory that is not in use"
#define SIZE_OF_FREED "malloc_usable_size of memory that is not in use"
#define FREED_IN_ANY_USE NOT_LIVE "|" REALLOC_FREED "|" SIZE_OF_FREED
#define KIND "free of a block of another kind"
#define SIZE "free with a wrong size"
#define ALIGNMENT "free with a wrong alignment"
#define OVER "overflow of a block"
#define UNDER "underflow of a block"
#define WRITTEN "write to freed memory"
#define INSIDE_IN_ANY_USE \
  INSIDE "|realloc of a pointer inside a block|malloc_usable_size of a pointer inside a block"

static const size_t of_every_class[] = {8, 100, 1000, 5000, 60000, 100000, 1 << 20, 0};
static const size_t of_few_classes[] = {24, 3000, 40000, 300000, 0};
static const size_t with_inside[] = {48, 1000, 5000, 60000, 100000, 1 << 20, 8 << 20, 0};
static const size_t up_to_pages[] = {8, 24, 100, 1000, 5000, 60000, 0};
static const size_t up_to_a_kib[] = {8, 24, 100, 1000, 0};
static const size_t medium[] = {3000, 20000, 60000, 0};
static const size_t large[] = {100000, 1 << 20, 8 << 20, 0};
static const size_t aligned_sizes[] = {128, 5120, 200064, 0};
static const size_t with_slack[] = {1030, 5200, 33000, 0};
static const size_t whole_pages[] = {16, 4096, 65536, 1 << 20, 0};

// clang-format off
const struct threat attack_threats[] = {
  {"double_free", "P1", "a block is freed twice: at once, after others, after its page was emptied",
   "the state of each block is out of line, and one atomic step decides", NOT_LIVE,
   "ddddd", run_double_free, double_free_ways, of_every_class},
  {"double_free_threads", "P1", "the two frees are of two threads, perhaps at the same time",
   "the same step: no cache comes before it", NOT_LIVE,
   "ddddd", run_double_free_threads, double_free_threads, of_few_classes},
  {"double_free_fork", "P1", "one of them, or both, are of a forked child",
   "the child's states are the parent's", NOT_LIVE,
   "ddddd", run_double_free_fork, double_free_forks, of_few_classes},
  {"double_free_realloc", "P1", "one of them is of a realloc that moved, shrank or freed the block",
   "realloc goes through the same step", NOT_LIVE,
   "ddddd", run_double_free_realloc, double_free_reallocs, of_few_classes},
  {"double_free_source", "P1", "the block is of calloc, realloc, aligned_alloc, new or a heap",
   "there is one kind of state for all", NOT_LIVE,
   "ddddd", run_double_free_source, source_names, of_few_classes},
  {"use_of_freed", "P1", "a freed block is given to realloc, delete, malloc_usable_size",
   "each of them asks for the state first", FREED_IN_ANY_USE "|" KIND "|" SIZE,
   "ddddd", run_use_of_freed, use_names, of_few_classes},
  {"write_after_free", "P2", "freed small blocks are filled with addresses of the attacker's",
   "no links in free blocks; from level 3 on they are verified when they are handed out again",
   WRITTEN, "nnnlf", run_write_after_free, write_ways, up_to_a_kib},
  {"write_after_free_medium", "P2", "the same of medium blocks",
   "no links in free blocks", WRITTEN, "nnnnf", run_write_after_free, write_ways, medium},
  {"large_after_free", "P2", "a freed large block is read or written",
   "it is inaccessible from its free on, and stays so for a while", "",
   "-ffff", run_touch_after_free, touch_ways, large},
  {"read_after_free", "P2", "what was in a freed block is read", "it is zeroed at its free", "",
   "--nnn", run_read_after_free, read_ways, up_to_pages},
  {"any_after_free", "P2", "any freed block is read or written",
   "each block has pages of its own, which are inaccessible from its free on", "",
   "----f", run_touch_after_free, touch_ways, up_to_pages},
  {"free_foreign", "P3", "memory of others is given to free: stack, globals, mappings, any number",
   "an address is looked up before anything near it is read", NOT_OURS "|" MISALIGNED "|" UNUSED,
   "ddddd", run_free_foreign, foreign_ways, NULL},
  {"realloc_foreign", "P3", "... to realloc", "the same look-up",
   "realloc of a pointer that mend did not allocate|realloc of a misaligned pointer|"
   "realloc of memory that is not in use",
   "ddddd", run_realloc_foreign, foreign_ways, NULL},
  {"usable_size_foreign", "P3", "... to malloc_usable_size", "the same look-up",
   "malloc_usable_size of a pointer that mend did not allocate|"
   "malloc_usable_size of a misaligned pointer|malloc_usable_size of memory that is not in use",
   "ddddd", run_usable_size_foreign, foreign_ways, NULL},
  {"delete_foreign", "P3", "... to operator delete", "the same look-up",
   NOT_OURS "|" MISALIGNED "|" UNUSED, "ddddd", run_delete_foreign, foreign_ways, NULL},
  {"free_sized_foreign", "P3", "... to free_sized", "the same look-up",
   NOT_OURS "|" MISALIGNED "|" UNUSED, "ddddd", run_free_sized_foreign, foreign_ways, NULL},
  {"free_interior", "P3", "an address inside a block is freed",
   "a block has one address, and only that has a state", INSIDE "|" MISALIGNED,
   "ddddd", run_free_interior, interior_ways, with_inside},
  {"use_interior", "P3", "an address inside a block is given to realloc, delete and so on",
   "the same look-up", INSIDE_IN_ANY_USE, "ddddd", run_use_interior, use_names, with_inside},
  {"free_elsewhere", "P3", "an address beside the blocks is freed: an unused slot, the next slice",
   "the state of each block is out of line", NOT_LIVE "|" NOT_OURS,
   "ddddd", run_free_elsewhere, invalid_places, of_few_classes},
  {"overflow", "P4", "a block is overflowed by 1 byte, by NUL, by 8 or 64 bytes, and freed",
   "a secret behind the last byte that was asked for is checked", OVER,
   "nnfff", run_overflow, overflow_ways, of_every_class},
  {"overflow_source", "P4", "the block is of calloc, realloc, aligned_alloc, new or a heap",
   "there is a secret behind each", OVER,
   "nnfff", run_overflow_source, source_names, of_few_classes},
  {"overflow_freed", "P4", "it is freed by another thread, by a forked child, by realloc",
   "each of them checks the secret", OVER,
   "nnfff", run_overflow_freed, overflow_frees, of_few_classes},
  {"overflow_gap", "P4", "a byte further behind a block's end is written, and the block freed",
   "64 bytes behind the secret are checked, too", OVER,
   "nnfff", run_slack, slack_ways, with_slack},
  {"overflow_unfreed", "P4", "a block is overflowed and not freed, but its neighbour is",
   "the blocks within 64 bytes of one that is freed are checked, too", OVER "|" UNDER,
   "nnnd-", run_sweep, sweep_ways, up_to_a_kib},
  {"underflow", "P4", "a small block is underflowed by 1, 8 or 64 bytes, and freed",
   "what is before it is checked: a secret, slack or zeros", UNDER "|" OVER "|" WRITTEN,
   "nnfff", run_overflow, underflow_ways, up_to_pages},
  {"overflow_long", "P4", "a block is overflowed on and on, upwards or downwards",
   "there is a guard at the end of each page", "",
   "-ffff", run_overflow_long, long_ways, of_every_class},
  {"overread", "P4", "the byte behind a block is read",
   "each block ends or begins at a guard", "", "----f", run_overread, one_way, whole_pages},
  {"pointers_in_heap", "P5", "the memory of blocks, live and freed, is searched for addresses",
   "whatever the allocator knows is in a range of its own", "",
   "nnnnn", run_scan_for_pointers, scan_ways, of_every_class},
  {"free_forged", "P6", "headers are forged at aligned addresses, and addresses behind them freed",
   "no header is ever read", NOT_OURS "|" INSIDE "|" UNUSED,
   "ddddd", run_free_forged, forged_ways, NULL},
  {"large_edges", "P7", "64 bytes before a large block, or far from it on either side, are written",
   "there are guards of random size on both sides", UNDER "|" OVER,
   "-ffff", run_large_edge, large_edges, large},
  {"wrong_kind", "-", "malloc, new and new[] are mixed up", "the kind of each block is known",
   KIND "|realloc of a block of another kind", "-dddd", run_wrong_kind, kind_ways, aligned_sizes},
  {"wrong_size", "-", "a wrong size is given to free_sized, delete, delete[]",
   "the size of each block is known", SIZE, "-dddd", run_wrong_size, size_ways, of_every_class},
  {"wrong_alignment", "-", "a wrong alignment is given to free_aligned_sized, delete",
   "the alignment of each block is known", ALIGNMENT "|" KIND,
   "-dddd", run_wrong_alignment, alignment_ways, aligned_sizes},
  {"zero_size", "-", "a block of no bytes is read or written", "it lies in a guard", "",
   "-ffff", run_zero_size, zero_ways, NULL},
  {"execute", "-", "what was written to a block is executed", "no memory of blocks is executable",
   "", "fffff", run_execute, source_names, of_few_classes},
  {"usable_size", "-", "malloc_usable_size is believed", "it is what was asked for", "",
   "-nnnn", run_usable_size, source_names, NULL},
  {"calloc_clean", "-", "calloc follows blocks that were full", "its memory is always zero", "",
   "nnnnn", run_calloc_clean, one_way, of_every_class},
  {"calloc_after_write", "P2", "freed blocks are written to, and calloc follows",
   "what it is about to return is verified, below level 2 zeroed", WRITTEN,
   "nnllf", run_calloc_after_write, one_way, of_every_class},
  {"old_contents", "-", "malloc follows blocks that held secrets", "they are zeroed at free", "",
   "--nnn", run_old_contents, one_way, of_every_class},
  {"size_wrap", "-", "sizes that wrap are asked for", "every sum is checked", "",
   "nnnnn", run_size_wrap, wrap_ways, NULL},
};
// clang-format on

const size_t attack_threat_count = sizeof attack_threats / sizeof attack_threats[0];
