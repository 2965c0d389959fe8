/* SPDX-License-Identifier: MIT */
/*
 * The model's mover, and the grace period, for which deferred frees wait as well: at its end all
 * scopes have ended that were open at its beginning, and what was written in them is in memory.
 */

inline membarrier()
{
  for (t : 0 .. THREADS - 1) {
    fence(t) || BROKEN(no_membarrier)
  }
}

inline advance_epoch()
{
  d_step { epoch++; goal = epoch }
}

#define HAS_PASSED(t) (record[t] == IDLE || record[t] >= ACTIVE(goal))

/* With a deadline, `late` tells that it has come. */
inline await_readers(deadline)
{
  for (t : 0 .. THREADS - 1) {
    if
    :: HAS_PASSED(t) || BROKEN(no_wait)
    :: deadline -> late = true
    fi
  }
}

inline grace(deadline)
{
#if MUTATION == epoch_before_announcement
  membarrier();
  await_readers(deadline);
#elif MUTATION == epoch_before_membarrier
  advance_epoch();
  membarrier();
  await_readers(deadline);
#elif MUTATION == wait_before_membarrier
  advance_epoch();
  await_readers(deadline);
  membarrier();
#else
  membarrier();
  advance_epoch();
  await_readers(deadline);
#endif
  atomic { t = 0; goal = 0 }
}

/* announced[e] is the word that the entry then has, or 0. */
inline announce()
{
  for (e : 0 .. OBJECTS - 1) {
    word = entry[e];
    if
    :: STATE(word) == LIVE && PAGE(BLOCK(word)) == page && pins[e] == 0 ->
       d_step {
         announced[e] = WITH_STATE(word, MOVING);
         swap(word, announced[e], BROKEN(announcement_by_store));
         announced[e] = (swapped -> announced[e] : 0);
         carried[e] = owner[BLOCK(announced[e])]
       }
    :: else -> skip
    fi;
    word = 0
  }
}

inline roll_back()
{
  d_step {
    swap(announced[e], WITH_STATE(announced[e], LIVE), BROKEN(rollback_by_store));
    word = 0
  }
}

/* The page is closed: what was in the block is still there, even if it was freed meanwhile. */
inline carry_word(i)
{
  d_step {
    assert(owner[old] == carried[e] || owner[old] == NOBODY);
    memory[2 * new + i] = memory[2 * old + i]
  }
}

/* In strict mode nobody changes an entry that is COPYING: a store is enough. */
inline commit()
{
  d_step {
    swap(announced[e], WORD(new, GENERATION(announced[e]), LIVE),
         STRICT || BROKEN(commit_by_store));
    moved = swapped;
    if
    :: moved -> owner[new] = carried[e]; owner[old] = NOBODY
    :: else -> skip
    fi;
    word = 0
  }
}

inline move_to_new()
{
  if
  :: STRICT ->
     d_step {
       swap(announced[e], WITH_STATE(announced[e], COPYING), BROKEN(copying_by_store));
       moved = swapped;
       word = 0
     }
  :: else -> moved = true
  fi;
  if
  :: moved ->
     carry_word(0);
     carry_word(1);
     if
     :: BROKEN(old_block_freed_early) -> give_block(old); commit()
     :: else -> commit()
     fi
  :: else -> skip
  fi;
  if
  :: moved && !BROKEN(old_block_freed_early) -> give_block(old)
  :: !moved && !BROKEN(new_block_kept) -> give_block(new)
  :: else -> skip
  fi
}

inline relocate()
{
  if
  :: late || (pins[e] != 0 && !BROKEN(pin_not_checked)) -> new = NOWHERE
  :: else -> take_block(new, page, UNNAMED)
  fi;
  if
  :: new == NOWHERE -> roll_back()
  :: else -> old = BLOCK(announced[e]); move_to_new()
  fi;
  d_step { old = 0; new = 0; moved = false; announced[e] = 0; carried[e] = 0 }
}

/* A page that has become empty goes back to the system; here it is at once a fresh one. */
inline open_page()
{
  if
  :: vacant[page * PAGE_BLOCKS] && vacant[page * PAGE_BLOCKS + 1] ->
     assert(owner[page * PAGE_BLOCKS] == NOBODY && owner[page * PAGE_BLOCKS + 1] == NOBODY)
  :: else -> skip
  fi;
  closed[page] = false
}

inline empty_page()
{
  closed[page] = !BROKEN(page_not_closed);
#if MUTATION == epoch_before_announcement
  advance_epoch();
#endif
  announce();
  grace(true);
  for (e : 0 .. OBJECTS - 1) {
    if
    :: announced[e] != 0 -> relocate()
    :: else -> skip
    fi
  }
  open_page();
  d_step { late = false; e = 0; page = 1 - page }
}

proctype mover()
{
  byte e, page, round, old, new, goal, t, carried[OBJECTS];
  bool late, moved;
  short word, announced[OBJECTS];
  {
    for (round : 1 .. ROUNDS) {
      empty_page()
    }
  } unless { stopped -> halted = true }
}

/* Comes at any time: before any step of the mover, or after its last. */
proctype stopper()
{
  stopped = true
}
