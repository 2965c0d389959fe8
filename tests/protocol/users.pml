/* SPDX-License-Identifier: MIT */
/*
 * The model's user threads, and what they do with a handle. That is the caller's `e` (the index of
 * its entry), `generation` and, which no program can see, `object`. `block` is what it led to. `me`
 * is the thread, `mine` the one word of each object that it writes.
 */

inline scope_enter()
{
  word = epoch;
  d_step { nfull(buffer[me]) -> buffer[me] ! TO_RECORD, me, ACTIVE(word), 0; word = 0 }
}

inline scope_leave()
{
  if
  :: BROKEN(leave_not_ordered) ->
     d_step { !(buffer[me] ?? [TO_RECORD, _, _, _]) -> record[me] = IDLE }
  :: else -> buffer[me] ! TO_RECORD, me, IDLE, 0
  fi
}

/* What an answer must be at the moment when the entry was read. */
inline check_answer()
{
  if
  :: STATE(word) == FREE || GENERATION(word) != generation -> assert(dead[object])
  :: else -> assert(!dead[object] && owner[BLOCK(word)] == object)
  fi
}

#define FOUND(state) (STATE(word) == state && GENERATION(word) == generation)

/* `block` becomes the object's, or NOWHERE if the handle is stale. What a veto that fails has found
   is looked at in its turn; so no more than two can fail, whatever the mover does. */
inline resolve()
{
  d_step {
    if /* a thread sees its own stores: here that of an object which it has just allocated */
    :: buffer[me] ?? [TO_ENTRY, eval(e), _, _] -> word = WORD(block, generation, LIVE)
    :: else -> word = entry[e]
    fi;
    check_answer()
  }
  do
  :: FOUND(MOVING) && !BROKEN(no_veto) ->
     d_step {
       fence(me) -> swap(word, WITH_STATE(word, LIVE), BROKEN(veto_by_store));
       check_answer();
       failures = failures + !swapped;
       assert(failures <= 2)
     }
     if
     :: BROKEN(veto_reloads) -> d_step { word = entry[e]; check_answer() }
     :: else -> skip
     fi
  :: FOUND(COPYING) && !BROKEN(copying_not_awaited) ->
     d_step { STATE(entry[e]) != COPYING -> word = entry[e]; check_answer() }
  :: else -> break
  od;
  atomic {
    block = (STATE(word) != FREE && GENERATION(word) == generation -> BLOCK(word) : NOWHERE);
    word = 0;
    failures = 0
  }
}

inline read_and_write()
{
  d_step {
    assert(owner[block] == object);
    assert(buffer[me] ?? [TO_MEMORY, eval(2 * block + mine), _, _] ||
           memory[2 * block + mine] == last[2 * object + mine])
  }
  d_step {
    nfull(buffer[me]) ->
    last[2 * object + mine]++;
    buffer[me] ! TO_MEMORY, 2 * block + mine, last[2 * object + mine], object
  }
}

/* `block` is then the one that was freed, or NOWHERE: another thread was first. Nobody may be using
   the object any more, unless the free is deferred. */
inline free_object()
{
  word = entry[e];
  do
  :: FOUND(COPYING) && !BROKEN(free_ignores_copying) ->
     d_step { STATE(entry[e]) != COPYING -> word = entry[e] }
  :: STATE(word) != FREE && GENERATION(word) == generation &&
     (STATE(word) != COPYING || BROKEN(free_ignores_copying)) ->
     d_step {
       fence(me) -> block = BLOCK(word);
       swap(word, WORD(0, generation + !BROKEN(generation_kept), FREE), BROKEN(free_by_store));
       if
       :: swapped ->
          dead[object] = true;
          owner[block] = (DEFERRED -> owner[block] : NOBODY)
       :: else -> block = NOWHERE
       fi
     }
     if
     :: block != NOWHERE -> break
     :: else -> skip
     fi
  :: else -> block = NOWHERE; break
  od;
  word = 0;
  if
  :: block != NOWHERE ->
     if
     :: DEFERRED && !BROKEN(free_without_grace) -> grace(false)
     :: else -> skip
     fi;
     give_block(block);
     spare[e] = true
  :: else -> skip
  fi
}

/* The caller's handle becomes that of a new object, if there is a block for it. */
inline allocate_object()
{
  take_block(block, NOWHERE, objects);
  if
  :: block != NOWHERE ->
     d_step {
       e = 0;
       do
       :: !spare[e] -> e++
       :: else -> break
       od;
       spare[e] = false;
       generation = GENERATION(entry[e]);
       object = objects;
       objects++
     }
     if
     :: BROKEN(live_before_content) -> publish(); fill()
     :: else -> fill(); publish()
     fi
  :: else -> skip
  fi
}

inline fill()
{
  buffer[me] ! TO_MEMORY, 2 * block, 0, object;
  buffer[me] ! TO_MEMORY, 2 * block + 1, 0, object
}

inline publish()
{
  buffer[me] ! TO_ENTRY, e, WORD(block, generation, LIVE), 0
}

inline copy_word(i)
{
  d_step {
    nfull(buffer[me]) ->
    assert(owner[block] == object);
    value = (buffer[me] ?? [TO_MEMORY, eval(2 * block + i), _, _] -> last[2 * object + i] :
                                                                     memory[2 * block + i]);
    buffer[me] ! TO_MEMORY, 2 * target + i, value, UNNAMED
  }
}

/* In a scope, with the object in `block`: gives it `target` instead. */
inline reallocate()
{
  take_block(target, NOWHERE, UNNAMED);
  if
  :: target != NOWHERE ->
     copy_word(0);
     copy_word(1);
     word = WORD(block, generation, LIVE);
     if
     :: BROKEN(realloc_frees_early) -> fence(me); give_block(block)
     :: else -> skip
     fi;
     do
     :: d_step {
          fence(me) -> swap(WORD(block, generation, LIVE), WORD(target, generation, LIVE),
                            BROKEN(realloc_by_store));
          if
          :: swapped -> owner[block] = NOBODY; owner[target] = object
          :: else -> skip
          fi
        }
        if
        :: BLOCK(word) == target -> break
        :: else -> d_step { fence(me) -> swap(WORD(block, generation, MOVING),
                                              WORD(block, generation, LIVE), false) }
        fi
     od;
     if
     :: BROKEN(realloc_frees_early) -> skip
     :: else -> give_block(block)
     fi;
     block = target
  :: else -> skip
  fi;
  d_step { target = 0; word = 0 }
}

#define USER \
  byte e, generation, object, block, target, failures, goal, t, times; \
  byte mine = me % 2; \
  bool late; \
  short word

/* A scope within a scope does nothing, unless it is broken. */
inline inner_scope()
{
  if
  :: BROKEN(inner_leave_ends_scope) -> scope_leave()
  :: BROKEN(inner_enter_renews_epoch) -> scope_enter()
  :: else -> skip
  fi
}

proctype reader(byte me)
{
  USER;
  for (times : 1 .. REPEATS) {
    if
    :: BROKEN(late_scope) -> resolve(); scope_enter(); read_and_write()
    :: else ->
       scope_enter();
       for (e : 0 .. OBJECTS - 1) {
         object = e;
         resolve();
         inner_scope();
         if
         :: block != NOWHERE -> read_and_write()
         :: else -> skip
         fi
       }
    fi;
    scope_leave();
    d_step { e = 0; object = 0; block = 0 }
  }
}

proctype watcher(byte me)
{
  USER;
  for (times : 1 .. REPEATS) {
    scope_enter();
    resolve();
    scope_leave()
  }
}

inline unpin()
{
  if
  :: BROKEN(unpin_not_ordered) -> pins[e]--
  :: else -> d_step { fence(me) -> pins[e]-- }
  fi
}

proctype pinner(byte me)
{
  USER;
  for (times : 1 .. REPEATS) {
    if
    :: BROKEN(pin_without_scope) -> resolve()
    :: else -> scope_enter(); resolve()
    fi;
    if
    :: block != NOWHERE -> d_step { fence(me) -> pins[e]++ }
    :: else -> skip
    fi;
    if
    :: BROKEN(pin_without_scope) -> skip
    :: else -> scope_leave()
    fi;
    if
    :: block != NOWHERE ->
       read_and_write();
       assert(BLOCK(entry[e]) == block || dead[object]);
       unpin()
    :: else -> skip
    fi
  }
}

proctype freer(byte me)
{
  USER;
  d_step { e = OBJECTS - 1; object = e }
  free_object();
  if
  :: block != NOWHERE -> allocate_object()
  :: else -> skip
  fi;
  if
  :: block != NOWHERE ->
     for (times : 1 .. REPEATS) {
       scope_enter();
       resolve();
       read_and_write();
       scope_leave()
     }
  :: else -> skip
  fi
}

proctype reallocator(byte me)
{
  USER;
  for (times : 1 .. REPEATS) {
    if
    :: BROKEN(realloc_without_scope) -> resolve()
    :: else -> scope_enter(); resolve()
    fi;
    read_and_write();
    reallocate();
    read_and_write();
    if
    :: BROKEN(realloc_without_scope) -> skip
    :: else -> scope_leave()
    fi
  }
}
