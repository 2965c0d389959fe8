// SPDX-License-Identifier: MIT
//
// Every name of mend/smart.h that has types, in a program that is C and C++.
#include "mend/smart.h"

#ifdef __cplusplus
#define NOTHING nullptr
#else
#define NOTHING NULL
#endif

struct unknown;  // a type that the program does not see may be counted, too

struct node {
  struct node *next;
  MEND_WEAK(struct node) back;
  struct unknown *unknown;
};

static int ended;

static void node_end(struct node *node)
{
  ended++;
  mend_rc_release(node->next);
  mend_rc_weak_release(node->back);
  mend_rc_release(node->unknown);
}

static void local_end(struct node *node)
{
  ended++;
  mend_rc_local_release(node->next);
  mend_rc_local_weak_release(node->back);
}

static struct node *make_pair(void)
{
  MEND_AUTO_RC struct node *first = mend_rc_make(struct node, node_end);
  first->next = mend_rc_make(struct node, node_end);
  first->next->back = mend_rc_weak(first);
  first->unknown = (struct unknown *)mend_rc_new(10, NOTHING);
  mend_rc_release(mend_rc_retain(first->unknown));
  mend_rc_release(mend_rc_retain((const void *)first->unknown));
  return mend_take(&first);
}

static struct node *make_local_pair(void)
{
  MEND_AUTO_RC_LOCAL struct node *first = mend_rc_local_make(struct node, local_end);
  first->next = mend_rc_local_make(struct node, NOTHING);
  first->next->back = mend_rc_local_weak(first);
  return mend_take(&first);
}

static int use_pairs(void)
{
  MEND_AUTO_RC struct node *pair = make_pair();
  MEND_AUTO_RC const struct node *same = mend_rc_retain((const struct node *)pair);
  MEND_AUTO_RC struct node *second = mend_rc_retain(pair->next);
  MEND_AUTO_RC struct node *upgraded = mend_rc_upgrade(second->back);
  MEND_AUTO_RC_LOCAL struct node *local = make_local_pair();
  MEND_AUTO_RC_LOCAL struct node *again = mend_rc_local_retain(local);
  MEND_AUTO_RC_LOCAL struct node *back = mend_rc_local_upgrade(local->next->back);
  mend_rc_local_weak_release(local->next->back);
  return same == pair && upgraded == pair && again == back && mend_rc_count(pair) == 3 &&
         mend_rc_count(local) == 3;
}

static int use_the_rest(void)
{
  MEND_AUTO_FREE char *text = (char *)mend_malloc(10);
  MEND_AUTO_HANDLE mend_handle handle = mend_handle_alloc(10);
  MEND_AUTO_PIN struct mend_pinned pinned = mend_pin_hold(handle);
  MEND_AUTO_SCOPE;
  MEND_AUTO_SCOPE;
  MEND_AUTO_PIN struct mend_pinned taken = mend_take(&pinned);
  MEND_AUTO_HANDLE mend_handle other = mend_take(&handle);
  MEND_AUTO_FREE char *same = mend_take(&text);
  return same != NOTHING && text == NOTHING && pinned.address == NOTHING &&
         taken.address == mend_resolve(other) && mend_handle_is_null(handle);
}

static int use_nothing(void)
{
  mend_rc_release(NOTHING);
  mend_rc_local_release(NOTHING);
  return mend_rc_retain(NOTHING) == NOTHING && mend_rc_local_retain(NOTHING) == NOTHING &&
         mend_rc_retain(NULL) == NOTHING && mend_rc_local_retain(NULL) == NOTHING &&
         mend_rc_count(NOTHING) == 0;
}

#ifdef __cplusplus
static_assert(noexcept(mend_handle_is_null(mend_handle())), "");
static_assert(noexcept(mend_rc_retain(static_cast<node *>(nullptr))), "");
static_assert(noexcept(mend_rc_local_retain(static_cast<node *>(nullptr))), "");
static_assert(noexcept(mend_rc_retain(nullptr)), "");
static_assert(noexcept(mend_rc_release(nullptr)), "");
static_assert(noexcept(mend_rc_local_release(nullptr)), "");
static_assert(noexcept(mend_rc_upgrade(mend_weak_to<node>())), "");
static_assert(noexcept(mend_rc_weak_release(mend_weak_to<node>())), "");
#endif

int main(void)
{
  return use_pairs() && ended == 3 && use_the_rest() && use_nothing() ? 0 : 1;
}
