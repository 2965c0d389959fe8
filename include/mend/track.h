// SPDX-License-Identifier: MIT
//
// Who allocates what: a profile of the heap by call stack, while the program runs.
//
// mend can remember the callers of some allocations (sampled: one in so many bytes, which costs
// next to nothing) or of all of them (exact). What is in use, and what was allocated in all, is
// then written as a *track file* (docs/track-file.md), which the command `mend` turns into reports
// and into the formats of other tools. The same can be had without a call by the options profile,
// profile_signal, profile_growth, leaks and track_file.
//
// Objects with handles (mend/handle.h) are blocks like others, wherever they are moved; one whose
// free was deferred is in use until its memory is given back.
//
// Stacks are found on x86-64 by what compilers write about code (.eh_frame), elsewhere by frame
// pointers: there compile with -fno-omit-frame-pointer, if stacks are short.
//
// Every function may be called from any thread at any time. What is said of blocks that other
// threads allocate or free meanwhile is so at some moment of the call.
#ifndef MEND_TRACK_H
#define MEND_TRACK_H

#include "mend/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

// An interval for mend_profile_start that asks for exact mode.
#define MEND_PROFILE_EXACT ((size_t)-1)

// Begins to remember who allocates: on average one block in each `interval_bytes` bytes that are
// allocated (0: the option profile_interval, 512 KiB unless it is set; 512 MiB at most), or with
// MEND_PROFILE_EXACT every block, which makes allocating slower by some factor and takes up to 64
// bytes a block. Who has asked for fifteen intervals gets the nearest of these from then on. Blocks
// that were allocated before are not known. What was remembered under another interval stays and is
// counted rightly. Costs up to some milliseconds, in which other threads wait. False, and all is as
// before, with errno: ENOMEM if there is no memory for it; EBUSY below a signal handler that has
// interrupted the allocator or such a call; ENOTSUP in the hardened build. Since 0.5.
MEND_EXPORT bool mend_profile_start(size_t interval_bytes) MEND_NOTHROW;

// Ends that. What was remembered exactly is forgotten; samples stay in the profile until they are
// freed or brought to another size, and so do the sums of what was allocated. (A later exact mode
// forgets samples that share a page with a block that it remembers: this concerns those from 4 to
// 64 KiB, of heaps of mend_heap_create, and objects.) Does nothing below a signal handler that has
// interrupted the allocator. Since 0.5.
MEND_EXPORT void mend_profile_stop(void) MEND_NOTHROW;

// Writes the profile to a descriptor, as a track file of the kind `profile`. Allocates nothing. A
// pipe whose reader waits for this thread would wait for ever. False, with errno as write() has set
// it (or EBUSY: the calling thread, below a signal handler, is writing one already, or has been
// interrupted inside the allocator), if it could not be written whole; then the file has no line
// `end`. Since 0.5.
MEND_EXPORT bool mend_profile_write(int descriptor) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Answers to other processes.

// Lets the command `mend`, started by the same user or by root, ask this process for its figures,
// its map, its profile and its leaks: `mend stats PID` and so on. A thread of mend's own, with all
// signals blocked and a small stack, waits for that on a local socket; it costs nothing while
// nobody asks. The child of a fork answers as well. The option `control` does the same from the
// start. True also if it is so already; false with errno if there is no socket, descriptor or
// thread for it (EADDRINUSE: another process has taken the name, or another copy of mend in this
// one; EBUSY below a signal handler that has interrupted a start or stop). Where the kernel lets
// nobody be accepted, it ends by itself. Since 0.5.
MEND_EXPORT bool mend_control_start(void) MEND_NOTHROW;

// Ends that. Waits for an answer that is under way. Does nothing below a signal handler that has
// interrupted a start or stop. Since 0.5.
MEND_EXPORT void mend_control_stop(void) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Leaks: blocks that nothing in the process leads to any more.

// What a check has found. Set `bytes` to sizeof(struct mend_leaks) before the call, which does not
// change it; zero the rest: fields that an older library does not know stay as they are. Since 0.5.
struct mend_leaks {
  size_t bytes;           // sizeof of the caller's struct
  size_t direct_count;    // blocks that nothing leads to
  size_t direct_bytes;    // what was asked for where that is known, else what the blocks hold
  size_t indirect_count;  // blocks that only lost ones lead to
  size_t indirect_bytes;
  size_t cycle_count;  // blocks that lead to each other in a circle, and nothing else to them
  size_t cycle_bytes;
  size_t handle_count;  // objects whose handle is nowhere any more (mend/handle.h)
  size_t handle_bytes;
  size_t rc_cycle_count;  // cycles with counted objects in them (mend/smart.h)
  size_t rc_cycle_bytes;
  size_t reached_count;  // all other live blocks
  size_t reached_bytes;
  size_t pause_ns;        // for how long other threads were held up at most
  size_t check_ns;        // how long the check took, without waiting for another one
  size_t unparked_count;  // threads whose registers could not be seen, when they were needed
};

// Looks for leaks while the program runs, in any build and mode. All that is said of allocation
// (stack, thread, time, exact size) comes from exact or sampled mode, as far as it was on; without,
// leaks are counted and listed by address. docs/leaks.md tells what counts as reachable.
//
// A copy of the process, which fork's system call makes, does the work; threads are held up while
// the kernel copies its page tables (some milliseconds a gigabyte). If leaks seem to be there, they
// are looked for in a second copy, for which the other threads are stopped by a signal for a
// moment: their blocking calls may then return EINTR, as far as signal(7) says so in spite of
// SA_RESTART.
//
// Fills *summary unless it is NULL, and writes a track file of the kind `leaks` to the descriptor
// unless it is negative. Allocates nothing here. False if it could not be done, or the file could
// not be written whole, with errno: what the system says of forking, of pipes, of listing threads
// and mappings (ENOMEM, EAGAIN, EMFILE, or what forbids it), or of writing; EBUSY below a signal
// handler that has interrupted a check; EINVAL if summary->bytes is less than that field itself.
// One check at a time: a second caller waits. Since 0.5.
MEND_EXPORT bool mend_leak_check(struct mend_leaks *summary, int descriptor) MEND_NOTHROW;

// From now on the block that an address is in counts as reached, with all that it leads to. This is
// of the address: take it back before the block is freed. False with errno: ENOMEM if there is no
// memory, EBUSY below a signal handler that has interrupted one of these four. Since 0.5.
MEND_EXPORT bool mend_leak_ignore(const void *block) MEND_NOTHROW;
// Takes that back. False with errno: ENOENT if it was not said, EBUSY as above. Since 0.5.
MEND_EXPORT bool mend_leak_unignore(const void *block) MEND_NOTHROW;

// From now on the words of this memory lead to blocks, whatever it is: such as memory that a fork's
// child would not see (MADV_DONTFORK leaves it out, too), or one's own pages in files. `bytes` is
// above 0 and a multiple of 8, as is the address: else false with EINVAL. ENOMEM and EBUSY as
// above. Since 0.5.
MEND_EXPORT bool mend_leak_root_add(const void *start, size_t bytes) MEND_NOTHROW;
// Takes that back. False with errno: ENOENT if it was not said of the same memory, EBUSY as above.
// Since 0.5.
MEND_EXPORT bool mend_leak_root_remove(const void *start, size_t bytes) MEND_NOTHROW;

#ifdef __cplusplus
}
#endif
#endif
