// SPDX-License-Identifier: MIT
//
// mend: relocatable memory. An *object* is named by a *handle*, which stays the same for the
// object's whole life, while the object's address may change: mend_defragment moves objects out of
// sparse memory into dense memory, while the program's threads go on using them, and gives the
// sparse memory back.
//
//     mend_handle name = mend_handle_alloc(100);
//     mend_scope_enter();
//     char *text = mend_resolve(name);      // the address, good until the scope ends
//     strcpy(text, "moves, yet stays");
//     mend_scope_leave();
//     mend_handle_free(name);
//
// What makes an address invalid. mend_resolve's result is good until the calling thread's current
// *scope* ends. Scopes nest; the outermost counts. In a thread that has no scope open, mend_resolve
// opens an implicit one, which ends at that thread's next relocation point (mend_defragment and
// its kin), at mend_quiescent, or when the thread ends. Objects move only while some thread is in
// such a function, or while the background defragmenter runs (with the debug aid handle_stir also
// at the end of any scope); never in an allocation or a free. mend_handle_realloc may move its
// object at once: addresses of it that any thread has resolved before are invalid then, pinned
// objects aside, which stay where they are.
//
// A reader never waits: a mover that meets a reader loses (docs/Internals.md has the protocol and
// why it is right), but for types that move their objects themselves (mend_type_register_move).
// Costs are given as orders of magnitude on a machine of 2 to 3 GHz.
//
// Every function may be called from any thread at any time, unless its comment says otherwise; none
// is safe in a signal handler. Functions that return a pointer or handle set errno to ENOMEM where
// there is no memory, and to what their comment says besides; no other function here touches errno.
// In the child of a fork every handle that is no longer being made is valid, and only the forking
// thread's scope is open.
#ifndef MEND_HANDLE_H
#define MEND_HANDLE_H

#include "mend/mend.h"

#ifdef __cplusplus
extern "C" {
#endif

// Names an object, or nothing. The bits mean something to mend only; equal bits, same object.
typedef struct mend_handle {
  uint64_t bits;
} mend_handle;

// Names nothing, and never will. All zero, so zeroed memory is full of them.
#ifdef __cplusplus
#define MEND_HANDLE_NULL (mend_handle{0})
#else
#define MEND_HANDLE_NULL ((mend_handle){0})
#endif

MEND_INLINE bool mend_handle_is_null(mend_handle handle) MEND_NOEXCEPT
{
  return handle.bits == 0;
}

// How a call went, where there is more than one way for it to fail. Since 0.2.
enum mend_status {
  MEND_OK = 0,
  MEND_STALE,      // the object that the handle named has been freed
  MEND_FOREIGN,    // no handle of any heap there is: null, forged, or of a heap that is no more
  MEND_BUSY,       // not now: the calling thread has a scope open, or another defragments already
  MEND_BLOCKED,    // scopes that other threads keep open were in the way until the deadline
  MEND_PARTIAL,    // the budget is used up: there is more to do
  MEND_PINNED,     // the object must not move, and there is no room where it is
  MEND_NO_MEMORY,  // memory, address space or handles have run out
  MEND_INVALID,    // an argument is out of its range
};
// The status as an English phrase. Static storage: never free it.
MEND_EXPORT const char *mend_status_text(enum mend_status status) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Handle heaps: objects that live together, are defragmented together and can all be freed at once.
// There is one from the start, which NULL stands for where objects are made; where they are
// measured and moved NULL stands for all heaps. A heap has room for 2^31 - 1 objects; there can be
// 511 more at a time. Since 0.2.

typedef struct mend_handle_heap mend_handle_heap;

// A new, empty heap, or NULL with ENOMEM. The caller owns it and ends it with
// mend_handle_heap_destroy.
MEND_EXPORT mend_handle_heap *mend_handle_heap_create(void) MEND_MUST_USE MEND_NOTHROW;
// Frees every object and the heap itself. Their handles are told as MEND_FOREIGN or MEND_STALE from
// now on, also when another heap has taken the place. No thread may be using the heap or hold
// addresses of its objects; waits for a mover that is at work in it. NULL does nothing.
MEND_EXPORT void mend_handle_heap_destroy(mend_handle_heap *heap) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Objects. Every object is aligned to 16 bytes. The handle is the caller's until mend_handle_free,
// which any thread may call. About 50 ns each. Since 0.2.

// A new object of `size` bytes, contents undefined. Size 0 gives an object of its own. On failure
// MEND_HANDLE_NULL with ENOMEM.
MEND_EXPORT mend_handle mend_handle_alloc(size_t size) MEND_MUST_USE MEND_NOTHROW;
// The same, zeroed.
MEND_EXPORT mend_handle mend_handle_zalloc(size_t size) MEND_MUST_USE MEND_NOTHROW;
// The same as mend_handle_alloc, but the object never moves: what mend_resolve returns is good
// until it is freed or reallocated. Such objects have pages of their own, where they keep no other
// from being moved.
MEND_EXPORT mend_handle mend_handle_alloc_pinned(size_t size) MEND_MUST_USE MEND_NOTHROW;

// What the object is to the program: see "Types" below. 0: nothing special.
typedef uint16_t mend_type;
enum mend_alloc_flags {
  MEND_ALLOC_ZEROED = 1,  // contents are zero
  MEND_ALLOC_PINNED = 2,  // never moves
};
// The call that the three above are short for: from a heap, with flags and a type. Other flags, or
// a type that there is not: MEND_HANDLE_NULL with EINVAL.
MEND_EXPORT mend_handle mend_handle_heap_alloc(mend_handle_heap *heap, size_t size, unsigned flags,
                                               mend_type type) MEND_MUST_USE MEND_NOTHROW;
// The same, aligned to `alignment` wherever it moves: a power of two up to
// MEND_HANDLE_MAX_ALIGNMENT, else MEND_HANDLE_NULL with EINVAL. The block is as large as for the
// size rounded up to a multiple of the alignment. Since 0.3.
#define MEND_HANDLE_MAX_ALIGNMENT 4096
MEND_EXPORT mend_handle mend_handle_heap_aligned_alloc(mend_handle_heap *heap, size_t alignment,
                                                       size_t size, unsigned flags, mend_type type)
    MEND_MUST_USE MEND_NOTHROW;

// Resizes the object, in place where possible; its handle stays. Bytes that both sizes have are
// kept. Moving it makes addresses of it that anybody has resolved invalid, so no other thread may
// be using or freeing it meanwhile. MEND_PINNED: it is pinned, and the new size, larger or smaller,
// is not one of its block's size class; nothing has changed. MEND_NO_MEMORY: nothing has changed.
// MEND_STALE, MEND_FOREIGN. Since 0.2.
MEND_EXPORT enum mend_status mend_handle_realloc(mend_handle handle, size_t size) MEND_NOTHROW;
// The same with an alignment, which is not remembered from the allocation: mend_handle_realloc
// keeps 16 bytes only. MEND_INVALID: not such an alignment. Since 0.3.
MEND_EXPORT enum mend_status mend_handle_aligned_realloc(mend_handle handle, size_t alignment,
                                                         size_t size) MEND_NOTHROW;
// Frees the object. Nobody may be using it, nor use it later: from now on the handle is stale.
// MEND_STALE (somebody has freed it before), MEND_FOREIGN; MEND_HANDLE_NULL is MEND_OK. Since 0.2.
MEND_EXPORT enum mend_status mend_handle_free(mend_handle handle) MEND_NOTHROW;
// The same where other threads may still be using the object by an address they have resolved: the
// handle is stale at once, the memory free some time after every scope that is open now has closed:
// with a later deferred free, one in 256 or in 1 MiB of them; at the next pass; or before memory is
// said to have run out.
MEND_EXPORT enum mend_status mend_handle_free_deferred(mend_handle handle) MEND_NOTHROW;

// The size that was asked for last; 0 where there is no such object.
MEND_EXPORT size_t mend_handle_size(mend_handle handle) MEND_NOTHROW;
// The type it was made with; 0 where there is no such object.
MEND_EXPORT mend_type mend_handle_type(mend_handle handle) MEND_NOTHROW;
// MEND_OK if the handle names an object, else why not.
MEND_EXPORT enum mend_status mend_handle_status(mend_handle handle) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// From handle to address. Since 0.2.

// The object's address, good as long as the head of this file says; NULL where there is no such
// object (mend_handle_status says why). About 2 ns; waits for nobody but a type
// that is just moving the object itself. In builds and runs that check
// (option handle_check), a handle that names nothing ends the process, here and in all other calls
// but mend_handle_status.
MEND_EXPORT void *mend_resolve(mend_handle handle) MEND_NOTHROW;
// The same where the handle may be of an object that has been freed, as that of a cache or a weak
// reference: that is no mistake, whatever is checked. Since 0.3.
MEND_EXPORT void *mend_resolve_weak(mend_handle handle) MEND_NOTHROW;
// mend_resolve for `count` handles: addresses[i] for handles[i]. Returns how many are not NULL.
// Faster than one by one where the handles' entries are not in the cache. Since 0.2.
MEND_EXPORT size_t mend_resolve_all(const mend_handle *handles, void **addresses, size_t count)
    MEND_NOTHROW;

// Holds the object where it is until as many mend_unpin have followed, and returns its address,
// which is good that long. Pins cost other objects nothing but the page that the object is on,
// which cannot be given back; for objects pinned all their life there is MEND_ALLOC_PINNED. NULL:
// no such object, or no memory (ENOMEM). About 30 ns; waits as mend_resolve does.
MEND_EXPORT void *mend_pin(mend_handle handle) MEND_NOTHROW;
// MEND_INVALID: the object is not pinned. MEND_STALE, MEND_FOREIGN. (Freeing a pinned object ends
// its pins.)
MEND_EXPORT enum mend_status mend_unpin(mend_handle handle) MEND_NOTHROW;

// Opens a scope, and closes the one opened last. What is resolved within the outermost scope is
// good until that closes. About 1 ns; a thread's first call registers it. Keep scopes short: a
// mover that finds one open waits, up to its deadline, and then gives up and names the thread.
// A leave without an enter does nothing.
MEND_EXPORT void mend_scope_enter(void) MEND_NOTHROW;
MEND_EXPORT void mend_scope_leave(void) MEND_NOTHROW;
// For a thread without scopes of its own, such as one that runs an event loop: says that it holds
// no address any more. Does nothing within a scope that mend_scope_enter has opened.
MEND_EXPORT void mend_quiescent(void) MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Types: objects that hold pointers into themselves. Since 0.2.

// Called when `size` bytes of an object of the type have been copied from `from` to `to`: all of it
// by a mover, by mend_handle_realloc as many as the old and the new object both have. Corrects at
// `to` what points into the object. The move may still be called off, and the copy thrown away: it
// must change nothing but the `size` bytes at `to`, nor read what they point at. It must not call
// mend. `argument` is that of the registration. `from` is still whole, yet may already be written
// to by the program, or never have been written to.
typedef void (*mend_relocate_function)(void *to, const void *from, size_t size, void *argument);
// A new type, whose objects are given to the function when they move; 0 if there are 1023 already.
// Types are never given back.
MEND_EXPORT mend_type mend_type_register(mend_relocate_function function, void *argument)
    MEND_NOTHROW;
// Called to move an object that bytes alone do not make, instead of copying it: makes at `to`,
// where there is nothing yet, what is at `from`, and ends what is there, as a move constructor and
// a destructor of C++ do. Nobody has an address of the object then, and the move is not called off
// any more: who resolves the handle, frees the object or forks meanwhile waits until the function
// has returned. It must not fail, nor call anything of this header, nor wait for who does, or for
// who forks (as with a lock that a handler of pthread_atfork takes); plain memory it may allocate
// and free. `size` and `argument` are as above; it is called by
// mend_handle_realloc, too: what a smaller new object does not have is the caller's to end before.
typedef void (*mend_move_function)(void *to, void *from, size_t size, void *argument);
// A new type of such objects; 0 if there are 1023 types already. The objects must be whole whenever
// no scope is open in which they were made or are being ended: so what is not yet made, or ended
// already, is not moved. Since 0.3.
MEND_EXPORT mend_type mend_type_register_move(mend_move_function function, void *argument)
    MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Fragmentation. Since 0.2.

// All sizes in bytes, by mend's own count, which takes every page it has not returned as resident.
// The three shares are 1 - live / held, from 0 to 1:
//   external  live: block_bytes               held: resident_bytes
//   heap      live: object_bytes              held: resident_bytes + metadata_bytes
//   all_in    live: object_bytes              held: the same + table_bytes
struct mend_fragmentation {
  size_t bytes;           // the caller sets it to sizeof(struct mend_fragmentation)
  size_t objects;         // live, and those whose deferred free still waits
  size_t object_bytes;    // what was asked for them
  size_t block_bytes;     // what their blocks hold
  size_t free_bytes;      // free blocks in pages
  size_t rest_bytes;      // what pages have left over at their ends
  size_t cached_bytes;    // free pages that have not been returned (of all of mend)
  size_t resident_bytes;  // block_bytes + free_bytes + rest_bytes
  size_t metadata_bytes;  // bitmaps and descriptors
  size_t table_bytes;     // the handle table's resident part
  size_t dead_entries;    // entries of that part that name nothing
  double external, heap, all_in;
};
// Measures a heap, or all. Walks all pages and entries: about 100 ns and 2 ns each.
// MEND_INVALID: fragmentation->bytes is too small.
MEND_EXPORT enum mend_status mend_fragmentation_get(mend_handle_heap *heap,
                                                    struct mend_fragmentation *fragmentation)
    MEND_NOTHROW;

// ---------------------------------------------------------------------------------------------
// Defragmentation. Since 0.2.

// How much one step may do; 0 stands for no bound.
struct mend_defrag_budget {
  size_t bytes;          // copied
  size_t objects;        // moved
  uint64_t nanoseconds;  // spent; overrun by one batch (1 MiB or 2048 objects) at most, in a pass's
                         // first and last step also by what grows with the heap: planning, and
                         // giving memory back
  uint64_t grace_ns;     // how long scopes that are open are waited for; 0: 100 ms in a whole pass,
                         // 1 ms in a step. No longer than is left of `nanoseconds`.
};

// A thread whose open scope was in the way.
struct mend_blocker {
  uint64_t thread;        // the kernel's thread id
  uint64_t scope_age_ns;  // how long the scope has been open, at least
  const void *opened_at;  // the return address of the call that opened it; NULL unless mend was
                          // built with MEND_TRACK_SCOPES
  bool is_implicit;       // opened by mend_resolve
};

#define MEND_BLOCKERS_MAX 8

struct mend_defrag_report {
  size_t bytes;           // the caller sets it to sizeof(struct mend_defrag_report)
  size_t objects_moved;   // plan: that would move
  size_t bytes_moved;     // the objects' sizes; plan: their blocks'
  size_t pages_examined;  // pages of objects that can move
  size_t pages_emptied;   // plan: that would be
  size_t bytes_freed;     // that those pages held, and purged parts of others
  size_t table_freed;     // bytes of the handle table given back; plan: 0
  size_t vetoed;          // moves that readers called off
  size_t pinned;          // objects that stayed because they are pinned, or (in the child of a
                          // fork) may not be whole
  uint64_t nanoseconds;   // of which
  uint64_t grace_ns;      // waiting for scopes,
  uint64_t return_ns;     // and giving memory back to the kernel
  size_t blocker_count;   // those below
  struct mend_blocker blockers[MEND_BLOCKERS_MAX];
  struct mend_fragmentation before, after;  // whole pass; a plan's `after` is what it expects
};

// One whole pass over every handle heap: each object moves at most once, out of the sparsest pages
// of its size into the free places of the densest; then returns what is free to the kernel. The
// calling thread's implicit scope ends. `report` may be NULL. MEND_BUSY: within a scope of the
// caller, or another thread is at it; MEND_BLOCKED: some objects stayed, the report says who was in
// the way; MEND_NO_MEMORY; MEND_INVALID: report->bytes. Time: linear in the live bytes.
MEND_EXPORT enum mend_status mend_defragment(struct mend_defrag_report *report) MEND_NOTHROW;
// The same for a heap, or all, within a budget (NULL: none). MEND_PARTIAL: call again to go on. A
// pass is over with the step that returns MEND_OK; `before` and `after` are not filled in.
MEND_EXPORT enum mend_status mend_defragment_step(mend_handle_heap *heap,
                                                  const struct mend_defrag_budget *budget,
                                                  struct mend_defrag_report *report) MEND_NOTHROW;
// What a pass would do now, if nobody were in its way. Moves nothing.
MEND_EXPORT enum mend_status mend_defragment_plan(struct mend_defrag_report *report) MEND_NOTHROW;

struct mend_defrag_options {
  size_t bytes;           // the caller sets it to sizeof(struct mend_defrag_options)
  unsigned cpu_percent;   // of one CPU, at most, while there is something to do; 0: 5
  double start_external;  // begin a pass when external fragmentation exceeds this; 0: 0.25
  size_t start_bytes;     // and at least so many bytes could be freed; 0: 1 MiB
  unsigned interval_ms;   // between two looks; 0: 100
};
// Starts a thread that defragments in the background, by small steps; NULL: all defaults. It
// reports to nobody: if memory does not come down, mend_defragment names who is in the way, and may
// be called while the thread runs. Threads that are nearly always within a scope, on a machine with
// more of them than processors, keep it from much of its work. MEND_BUSY: it runs already.
// MEND_NO_MEMORY: no thread could be started. MEND_INVALID.
MEND_EXPORT enum mend_status mend_defragment_start(const struct mend_defrag_options *options)
    MEND_NOTHROW;
// Ends it, and waits until it has ended. Does nothing if it does not run. (In the child of a fork
// it does not.)
MEND_EXPORT void mend_defragment_stop(void) MEND_NOTHROW;

#ifdef __cplusplus
}
#endif
#endif
