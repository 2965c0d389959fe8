/* SPDX-License-Identifier: MIT */
/*
 * The relocation protocol: a mover carries objects to other blocks while readers use them, and no
 * reader ever waits for it. spin goes through every interleaving of a few threads; the script `run`
 * says which. docs/Internals.md ("The relocation protocol: the model") says what follows from that.
 *
 * The idea. An object's entry is one word {block, generation, state}. The mover announces a move
 * (LIVE becomes MOVING), lets a grace period pass, copies, and commits by compare-and-swap. Whoever
 * resolves the handle meanwhile takes the announcement back, which makes the commit fail: the veto.
 * So those who resolved before the announcement are waited for, and those who resolve after it are
 * noticed.
 *
 * Memory is that of x86 (TSO): what a user thread stores goes into its buffer, and from there, in
 * order and at any time, into memory; compare-and-swaps and fences wait until the buffer is empty.
 *
 * Not covered: orders weaker than TSO. Not buffered are the stores of the mover, since a
 * read-modify-write follows before anybody looks at what they wrote, and the allocator's own
 * tables, free bits and closed pages, each change of which is one step here.
 */

/* What is run: how many threads of each kind, and how often they do what they do. */
#ifndef READERS
#define READERS 0      /* resolve, read and write, in a scope */
#endif
#ifndef WATCHERS
#define WATCHERS 0     /* resolve only, as is allowed while others free or reallocate */
#endif
#ifndef PINNERS
#define PINNERS 0      /* read and write through a pin, outside of a scope */
#endif
#ifndef FREERS
#define FREERS 0       /* free the object, then allocate another and use that */
#endif
#ifndef REALLOCATORS
#define REALLOCATORS 0 /* give the object another block, and use it there */
#endif
#ifndef REPEATS
#define REPEATS 1      /* of each of these */
#endif
#ifndef ROUNDS
#define ROUNDS 1       /* of the mover: it empties page 0, page 1, page 0 ... */
#endif
#ifndef OBJECTS
#define OBJECTS 1      /* at the start, all in page 0 */
#endif
#ifndef DEFERRED
#define DEFERRED 0     /* freers wait for a grace period before the block is free */
#endif
#ifndef STRICT
#define STRICT 0       /* the mover locks readers out while it copies */
#endif
#ifndef STOPS
#define STOPS 0        /* the mover may stop for ever before any of its steps */
#endif

/* What is broken on purpose: -DMUTATION=name; nothing, if it is not given. */
#ifndef MUTATION
#define MUTATION 0
#endif
#define BROKEN(name) (MUTATION == name)
#define no_membarrier 1
#define no_wait 2
#define wait_before_membarrier 3
#define epoch_before_announcement 4
#define epoch_before_membarrier 5
#define late_scope 6
#define leave_not_ordered 7
#define inner_leave_ends_scope 8
#define inner_enter_renews_epoch 9
#define no_veto 10
#define veto_by_store 11
#define veto_reloads 12
#define announcement_by_store 13
#define commit_by_store 14
#define rollback_by_store 15
#define pin_not_checked 16
#define pin_without_scope 17
#define unpin_not_ordered 18
#define page_not_closed 19
#define old_block_freed_early 20
#define new_block_kept 21
#define generation_kept 22
#define free_by_store 23
#define free_without_grace 24
#define live_before_content 25
#define realloc_without_scope 26
#define realloc_by_store 27
#define realloc_frees_early 28
#define copying_by_store 29
#define copying_not_awaited 30
#define free_ignores_copying 31

#define THREADS (READERS + WATCHERS + PINNERS + FREERS + REALLOCATORS)
#define PAGE_BLOCKS 2
#define BLOCKS (2 * PAGE_BLOCKS)
#define PAGE(block) ((block) / PAGE_BLOCKS)
#define NOWHERE BLOCKS

/* An entry: one word. */
#define FREE 0
#define MOVING 1
#define COPYING 2
#define LIVE 3
#define WORD(block, generation, state) ((block) * 64 + (generation) * 4 + (state))
#define BLOCK(word) ((word) / 64)
#define GENERATION(word) (((word) / 4) % 16)
#define STATE(word) ((word) % 4)
#define WITH_STATE(word, state) ((word) - STATE(word) + (state))

short entry[OBJECTS];
byte pins[OBJECTS];
bool spare[OBJECTS];     /* the entry is nobody's, and can become another object's */
byte memory[2 * BLOCKS]; /* two words a block */
bool vacant[BLOCKS];     /* the free bits */
bool closed[2];          /* pages: no allocation from them */
byte epoch;
byte record[THREADS];    /* IDLE, or the epoch in which the thread's scope began */
#define IDLE 0
#define ACTIVE(epoch) ((epoch) * 2 + 1)

/* What no program can see: whose a block is, and what an object holds. Object n is the nth that was
   ever allocated. Each word of it is written by one thread only, so the last write is known. */
#define NOBODY 255
#define UNNAMED 254      /* of a mover or reallocator that fills it */
#define EVER (OBJECTS + FREERS)
byte owner[BLOCKS];
byte last[2 * EVER];
bool dead[EVER];
byte objects;
bool stopped, halted;    /* the mover is to stop for ever; it did so before its end */

/* ---- memory ---- */

#define TO_RECORD 0
#define TO_MEMORY 1
#define TO_ENTRY 2
/* What a user thread has stored and is not in memory yet. */
chan buffer[THREADS] = [3] of { byte, byte, short, byte }; /* kind, index, value, object */
hidden byte kind, at, whose;
hidden short value;

inline arrive()
{
  if
  :: kind == TO_RECORD -> record[at] = value
  :: kind == TO_MEMORY -> assert(owner[at / 2] == whose); memory[at] = value
  :: kind == TO_ENTRY -> entry[at] = value
  fi
}

proctype store_buffers()
{
end:
  do
  :: d_step { buffer[0] ? kind, at, value, whose -> arrive() }
#if THREADS > 1
  :: d_step { buffer[1] ? kind, at, value, whose -> arrive() }
#endif
#if THREADS > 2
  :: d_step { buffer[2] ? kind, at, value, whose -> arrive() }
#endif
  od
}

#define fence(thread) empty(buffer[thread])

/* Compare-and-swap of entry[e]; `word` is then what is there. */
hidden byte swapped;
inline swap(from, to, blindly)
{
  swapped = (entry[e] == (from) || (blindly));
  if
  :: swapped -> word = to; entry[e] = word
  :: else -> word = entry[e]
  fi
}

/* ---- blocks ---- */

#define CAN_TAKE(b, but) (vacant[b] && !closed[PAGE(b)] && PAGE(b) != (but))

/* `b` becomes a block of an open page other than `but`, or NOWHERE. */
inline take_block(b, but, new_owner)
{
  d_step {
    b = 0;
    do
    :: b < BLOCKS && !CAN_TAKE(b, but) -> b++
    :: else -> break
    od;
    if
    :: b < BLOCKS -> vacant[b] = false; owner[b] = new_owner
    :: else -> skip
    fi
  }
}

inline give_block(b)
{
  d_step { assert(!vacant[b]); vacant[b] = true; owner[b] = NOBODY }
}

#include "mover.pml"
#include "users.pml"

/* ---- the beginning and the end ---- */

inline start()
{
  d_step {
    for (i : 0 .. BLOCKS - 1) {
      vacant[i] = (i >= OBJECTS);
      owner[i] = (i < OBJECTS -> i : NOBODY)
    }
    for (i : 0 .. OBJECTS - 1) {
      entry[i] = WORD(i, 0, LIVE)
    }
    objects = OBJECTS;
    i = 0
  }
  run store_buffers();
  for (i : 0 .. THREADS - 1) {
    if
    :: i < READERS -> run reader(i)
    :: i >= READERS && i < READERS + WATCHERS -> run watcher(i)
    :: i >= READERS + WATCHERS && i < READERS + WATCHERS + PINNERS -> run pinner(i)
    :: i >= THREADS - REALLOCATORS - FREERS && i < THREADS - REALLOCATORS -> run freer(i)
    :: i >= THREADS - REALLOCATORS -> run reallocator(i)
    fi
  }
  run mover();
  if
  :: STOPS -> run stopper()
  :: else -> skip
  fi
}

/* All is quiet: each object that is not dead has one entry and one block, and all that was written
   to it; a block is an object's or vacant. Only a mover that was stopped may have kept one. */
inline check_end()
{
  d_step {
    for (i : 0 .. OBJECTS - 1) {
      word = entry[i];
      if
      :: STATE(word) != FREE ->
         block = BLOCK(word);
         object = owner[block];
         assert(!vacant[block] && object < objects && !dead[object]);
         assert(memory[2 * block] == last[2 * object]);
         assert(memory[2 * block + 1] == last[2 * object + 1]);
         balance++
      :: else -> skip
      fi
    }
    for (i : 0 .. objects - 1) {
      balance = balance - !dead[i]
    }
    assert(balance == 0);
    for (i : 0 .. BLOCKS - 1) {
      assert(halted || vacant[i] == (owner[i] == NOBODY));
      assert(halted || vacant[i] || owner[i] != UNNAMED)
    }
  }
}

init
{
  byte i, block, object;
  short word, balance;
  atomic { start() }
  _nr_pr == 2; /* only the store buffers are left */
  for (i : 0 .. THREADS - 1) {
    fence(i)
  }
  check_end()
}
