// SPDX-License-Identifier: MIT
//
// Counted objects: making them, and the ends of their lives. What counts is in the header.
//
// Both counts are one word, so that who gives the last reference back learns from that one step
// that there is no other. The counts of single-threaded objects have a bit more in each half: what
// is beyond the range of one kind includes all that the other has, dead objects and counts that
// have run over. So one comparison, which the last reference needs anyway, tells all misuse.
//
// A destructor that gives back what its object holds may so end the next object, and that the next.
// In place of a call within a call these objects wait in a list of the thread, which its outermost
// end works off. Only if there is no memory for the list is the destructor called at once.
#include "mend/smart.h"

#include <errno.h>
#include <string.h>

#include "api/allocate.h"
#include "base/bits.h"
#include "base/fatal.h"

enum { KIND_SHIFT_BIT = 48, KIND_SHIFT_MASK = 63, FIRST_ROOM = 8 };
_Static_assert(sizeof(struct mend_rc_head) == NATURAL_ALIGNMENT, "objects are aligned as blocks");

// Objects that wait for their destructors while another's runs.
struct waiting {
  size_t count;
  size_t room;  // of `more`, which there is only if that is not 0
  void **more;  // those that `first` has no place for
  void *first[FIRST_ROOM];
};
// That of the thread's outermost end; NULL outside of all destructors.
static _Thread_local struct waiting *waiting_mine __attribute__((tls_model("initial-exec")));

// ---------------------------------------------------------------------------------------------
// The counts, seen as those of one kind; what is of the other is out of range then.

static uint64_t counts_as(uint64_t counts, bool is_local)
{
  return is_local ? counts - MEND_RC_LOCAL : counts;
}

static uint32_t strong_of(uint64_t plain)
{
  return (uint32_t)plain;
}

static uint32_t weak_of(uint64_t plain)
{
  return (uint32_t)(plain >> 32);
}

static bool is_countable(uint32_t references)
{
  return references - 1 < MEND_RC_MOST;
}

// Returns them as they were. release: pairs with the acquire of who finds that nobody else is left.
static uint64_t counts_add(uint64_t *counts, uint64_t change, bool is_local)
{
  if (!is_local) return __atomic_fetch_add(counts, change, __ATOMIC_ACQ_REL);
  uint64_t before = *counts;
  *counts = before + change;
  return before;
}

void mend_rc_refuse(const void *object, uint64_t before, bool is_local)
{
  bool is_of_local = (before & UINT32_C(0x80000000)) != 0;
  if ((mend_rc_head_of(object)->kind & MEND_RC_MARK_BITS) != MEND_RC_MARK) {
    fatal("use of what is no counted object, or no longer one", object);
  }
  if (is_of_local != is_local) fatal("use of a counted object as one of the other kind", object);
  if (strong_of(counts_as(before, is_local)) == 0) {
    fatal("use of a counted object that has ended", object);
  }
  fatal("too many references to a counted object", object);
}

// ---------------------------------------------------------------------------------------------
// Beginning.

static inline void *make(size_t alignment, size_t size, mend_rc_destructor destructor,
                         bool is_local)
{
  uint64_t address = (uint64_t)(uintptr_t)destructor;
  if (UNLIKELY(address >> KIND_SHIFT_BIT != 0)) return allocate_fail(EINVAL);
  size_t offset = bits_larger(alignment, NATURAL_ALIGNMENT);
  size_t bytes;
  if (UNLIKELY(__builtin_add_overflow(offset, size, &bytes))) return allocate_fail(ENOMEM);
  char *block =
      offset == NATURAL_ALIGNMENT ? mend_zalloc(bytes) : allocate(NULL, bytes, offset, true);
  if (UNLIKELY(block == NULL)) return NULL;
  void *object = block + offset;
  struct mend_rc_head *head = mend_rc_head_of(object);
  head->kind = MEND_RC_MARK | (uint64_t)bits_lowest(offset) << KIND_SHIFT_BIT | address;
  head->counts = MEND_RC_ONE + MEND_RC_WEAK_ONE + (is_local ? MEND_RC_LOCAL : 0);
  memcpy(block, &head->kind, sizeof head->kind);
  return object;
}

void *mend_rc_new(size_t size, mend_rc_destructor destructor)
{
  return make(NATURAL_ALIGNMENT, size, destructor, false);
}

void *mend_rc_local_new(size_t size, mend_rc_destructor destructor)
{
  return make(NATURAL_ALIGNMENT, size, destructor, true);
}

static void *make_aligned(size_t alignment, size_t size, mend_rc_destructor destructor,
                          bool is_local)
{
  if (!bits_is_power_of_two(alignment)) return allocate_fail(EINVAL);
  if (alignment > BITS_MAX_SIZE / 2) return allocate_fail(ENOMEM);
  return make(alignment, size, destructor, is_local);
}

void *mend_rc_new_aligned(size_t alignment, size_t size, mend_rc_destructor destructor)
{
  return make_aligned(alignment, size, destructor, false);
}

void *mend_rc_local_new_aligned(size_t alignment, size_t size, mend_rc_destructor destructor)
{
  return make_aligned(alignment, size, destructor, true);
}

// ---------------------------------------------------------------------------------------------
// The end.

static mend_rc_destructor destructor_of(const struct mend_rc_head *head)
{
  return (mend_rc_destructor)(uintptr_t)(head->kind & bits_low_mask(KIND_SHIFT_BIT));
}

static void free_memory(const void *object)
{
  uint64_t shift = mend_rc_head_of(object)->kind >> KIND_SHIFT_BIT & KIND_SHIFT_MASK;
  mend_free((void *)((uintptr_t)object - ((uintptr_t)1 << shift)));
}

static NOINLINE void free_when_last_weak(const void *object, bool is_local)
{
  uint64_t *counts = &mend_rc_head_of(object)->counts;
  uint64_t before = counts_add(counts, -MEND_RC_WEAK_ONE, is_local);
  if (weak_of(counts_as(before, is_local)) == 1) free_memory(object);
}

// Gives back the weak reference that all strong ones had together.
static inline void free_unless_weak(void *object)
{
  // acquire: pairs with the release of who gave a weak reference back. Nobody can make a new one.
  uint64_t seen = __atomic_load_n(&mend_rc_head_of(object)->counts, __ATOMIC_ACQUIRE);
  bool is_local = (seen & UINT32_C(0x80000000)) != 0;
  if (LIKELY((weak_of(seen) & UINT32_C(0x7fffffff)) == 1)) {
    free_memory(object);
  } else {
    free_when_last_weak(object, is_local);
  }
}

static inline void destroy(void *object)
{
  destructor_of(mend_rc_head_of(object))(object);
  free_unless_weak(object);
}

static NOINLINE bool widen(struct waiting *waiting)
{
  size_t room = waiting->room == 0 ? FIRST_ROOM : 2 * waiting->room;
  int saved_errno = errno;
  void **more = mend_realloc(waiting->room == 0 ? NULL : waiting->more, room * sizeof *more);
  errno = saved_errno;
  if (more == NULL) return false;
  waiting->more = more;
  waiting->room = room;
  return true;
}

static NOINLINE void put_off(struct waiting *waiting, void *object)
{
  if (waiting->count < FIRST_ROOM) {
    waiting->first[waiting->count++] = object;
  } else if (waiting->count < FIRST_ROOM + waiting->room || widen(waiting)) {
    waiting->more[waiting->count++ - FIRST_ROOM] = object;
  } else {
    destroy(object);  // there is no memory to write it down
  }
}

static NOINLINE void work_off(struct waiting *waiting)
{
  while (waiting->count > 0) {
    size_t last = --waiting->count;
    destroy(last < FIRST_ROOM ? waiting->first[last] : waiting->more[last - FIRST_ROOM]);
  }
  if (waiting->room > 0) mend_free(waiting->more);
}

static NOINLINE void destroy_with_all_it_ends(void *object)
{
  struct waiting waiting;
  waiting.count = 0;
  waiting.room = 0;
  waiting_mine = &waiting;
  destroy(object);
  if (UNLIKELY(waiting.count > 0)) work_off(&waiting);
  waiting_mine = NULL;
}

void mend_rc_end(const void *object, uint64_t before, bool is_local)
{
  void *ending = (void *)(uintptr_t)object;
  struct mend_rc_head *head = mend_rc_head_of(object);
  if (UNLIKELY(strong_of(counts_as(before, is_local)) != 1)) {
    mend_rc_refuse(object, before, is_local);
  }
  // Neither a local release has counted down yet, nor one that saw no other reference; where that
  // came about only then, this writes the same again.
  if (is_local || before == MEND_RC_ONE + MEND_RC_WEAK_ONE) {
    __atomic_store_n(&head->counts, before - MEND_RC_ONE, __ATOMIC_RELAXED);
  }
  // acquire: pairs with the release of mend_rc_release; what others did with the object is done
  (void)__atomic_load_n(&head->counts, __ATOMIC_ACQUIRE);
  if (destructor_of(head) == NULL) {
    free_unless_weak(ending);
  } else if (UNLIKELY(waiting_mine != NULL)) {
    put_off(waiting_mine, ending);
  } else {
    destroy_with_all_it_ends(ending);
  }
}

// ---------------------------------------------------------------------------------------------
// Weak references.

static void *add_weak(const void *object, bool is_local)
{
  if (object == NULL) return NULL;
  uint64_t before = counts_add(&mend_rc_head_of(object)->counts, MEND_RC_WEAK_ONE, is_local);
  uint64_t plain = counts_as(before, is_local);
  if (!is_countable(strong_of(plain)) || !is_countable(weak_of(plain) + 1)) {
    mend_rc_refuse(object, before, is_local);
  }
  return (void *)(uintptr_t)object;
}

// A weak reference's value is the object's address.
static void *object_of(const volatile void *weak)
{
  return (void *)(uintptr_t)weak;
}

// One round: whether it is settled, by a new reference or since there is no object.
static bool try_upgrade(uint64_t *counts, uint64_t *seen, bool is_local)
{
  uint64_t after = *seen + MEND_RC_ONE;
  if (strong_of(counts_as(*seen, is_local)) == 0) return true;
  if (is_local) {
    *counts = after;
    return true;
  }
  return __atomic_compare_exchange_n(counts, seen, after, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void *upgrade(void *object, bool is_local)
{
  if (object == NULL) return NULL;
  uint64_t *counts = &mend_rc_head_of(object)->counts;
  uint64_t seen = __atomic_load_n(counts, __ATOMIC_RELAXED);
  do {
    uint64_t plain = counts_as(seen, is_local);
    if (!is_countable(strong_of(plain) + 1) || !is_countable(weak_of(plain))) {
      mend_rc_refuse(object, seen, is_local);
    }
  } while (!try_upgrade(counts, &seen, is_local));
  return strong_of(counts_as(seen, is_local)) != 0 ? object : NULL;
}

static void weak_release(const void *object, bool is_local)
{
  if (object == NULL) return;
  uint64_t before = counts_add(&mend_rc_head_of(object)->counts, -MEND_RC_WEAK_ONE, is_local);
  uint64_t plain = counts_as(before, is_local);
  if (!is_countable(weak_of(plain))) mend_rc_refuse(object, before, is_local);
  bool is_last = weak_of(plain) == 1;
  if (is_last && strong_of(plain) != 0) fatal("release of a weak reference too many", object);
  if (is_last) free_memory(object);
}

void *mend_rc_weak_untyped(const void *object)
{
  return add_weak(object, false);
}

void *mend_rc_upgrade_untyped(const volatile void *weak)
{
  return upgrade(object_of(weak), false);
}

void mend_rc_weak_release_untyped(const volatile void *weak)
{
  weak_release(object_of(weak), false);
}

void *mend_rc_local_weak_untyped(const void *object)
{
  return add_weak(object, true);
}

void *mend_rc_local_upgrade_untyped(const volatile void *weak)
{
  return upgrade(object_of(weak), true);
}

void mend_rc_local_weak_release_untyped(const volatile void *weak)
{
  weak_release(object_of(weak), true);
}

// ---------------------------------------------------------------------------------------------
// What is inline, for callers that cannot have it so.

void *mend_rc_retain_untyped(const void *object)
{
  return mend_rc_retain_inline(object);
}

void mend_rc_release_untyped(const void *object)
{
  mend_rc_release(object);
}

void *mend_rc_local_retain_untyped(const void *object)
{
  return mend_rc_local_retain_inline(object);
}

void mend_rc_local_release_untyped(const void *object)
{
  mend_rc_local_release(object);
}

size_t mend_rc_count(const void *object)
{
  if (object == NULL) return 0;
  uint64_t counts = __atomic_load_n(&mend_rc_head_of(object)->counts, __ATOMIC_RELAXED);
  return (size_t)(counts & UINT32_C(0x7fffffff));
}
