// SPDX-License-Identifier: MIT
//
// Question: what does it cost to read through handles instead of pointers?
//
// Model: nodes of 16 to 256 bytes, as many as fill half of the first-level cache, half of the
// second-level one, or several times the last, made one after the other and visited in random
// order; at each one a word is read. Two walks: a list, where the next step is known only when the
// node has been read, and an array of all nodes, where it is known before. The same walk by
// pointers (blocks of the C library and of mend) and by handles: within one scope, with a scope for
// each step, and, where the next handles are known, by mend_resolve_all. All ways take turns on the
// same nodes. "hot" is mend_resolve of 256 handles and nothing else, and a scope.
//
// Argument: the work scale. Prints JSON lines; nanoseconds a step.
#include "mend/handle.h"

#include "common.h"

enum { ROUNDS = 5, STEPS = 2000000, HOT = 256, BATCH = 64, BYTES_MOST = 128 << 20 };

struct node {
  union {
    mend_handle handle;
    struct node *pointer;
  } next;
  uint64_t value;
};

// A set of nodes in each of three makes; the i-th to be visited of each.
static struct node **libc_nodes, **mend_nodes;
static mend_handle *handles;
static size_t node_count;

static uint64_t sum;  // what was read: so that it is

// ---- the walks: each takes so many steps from *at on ----

static void list_libc(size_t *at, size_t steps)
{
  struct node *node = libc_nodes[*at];
  for (size_t i = 0; i < steps; i++, node = node->next.pointer) sum += node->value;
  *at = (*at + steps) % node_count;
}

static void list_mend(size_t *at, size_t steps)
{
  struct node *node = mend_nodes[*at];
  for (size_t i = 0; i < steps; i++, node = node->next.pointer) sum += node->value;
  *at = (*at + steps) % node_count;
}

static void list_handles(size_t *at, size_t steps)
{
  mend_handle handle = handles[*at];
  mend_scope_enter();
  for (size_t i = 0; i < steps; i++) {
    struct node *node = mend_resolve(handle);
    sum += node->value;
    handle = node->next.handle;
  }
  mend_scope_leave();
  *at = (*at + steps) % node_count;
}

static void list_scopes(size_t *at, size_t steps)
{
  mend_handle handle = handles[*at];
  for (size_t i = 0; i < steps; i++) {
    mend_scope_enter();
    struct node *node = mend_resolve(handle);
    sum += node->value;
    handle = node->next.handle;
    mend_scope_leave();
  }
  *at = (*at + steps) % node_count;
}

static size_t next_place(size_t at)
{
  return at + 1 == node_count ? 0 : at + 1;
}

static void array_libc(size_t *at, size_t steps)
{
  for (size_t i = 0; i < steps; i++, *at = next_place(*at)) sum += libc_nodes[*at]->value;
}

static void array_mend(size_t *at, size_t steps)
{
  for (size_t i = 0; i < steps; i++, *at = next_place(*at)) sum += mend_nodes[*at]->value;
}

static void array_handles(size_t *at, size_t steps)
{
  mend_scope_enter();
  for (size_t i = 0; i < steps; i++, *at = next_place(*at)) {
    sum += ((struct node *)mend_resolve(handles[*at]))->value;
  }
  mend_scope_leave();
}

static void array_all(size_t *at, size_t steps)
{
  void *nodes[BATCH];
  mend_scope_enter();
  for (size_t done = 0; done < steps;) {
    size_t count = node_count - *at < BATCH ? node_count - *at : BATCH;
    (void)mend_resolve_all(&handles[*at], nodes, count);
    for (size_t i = 0; i < count; i++) sum += ((struct node *)nodes[i])->value;
    *at = (*at + count) % node_count;
    done += count;
  }
  mend_scope_leave();
}

static void hot_resolve(size_t *at, size_t steps)
{
  (void)at;
  mend_scope_enter();
  for (size_t i = 0; i < steps; i++) sum += (uintptr_t)mend_resolve(handles[i % HOT]);
  mend_scope_leave();
}

static void hot_scope(size_t *at, size_t steps)
{
  (void)at;
  for (size_t i = 0; i < steps; i++) {
    mend_scope_enter();
    mend_scope_leave();
  }
}

struct way {
  const char *walk, *name;
  void (*function)(size_t *at, size_t steps);
};

static const struct way ways[] = {
    {"list", "libc", list_libc},         {"list", "mend", list_mend},
    {"list", "handles", list_handles},   {"list", "scope each", list_scopes},
    {"array", "libc", array_libc},       {"array", "mend", array_mend},
    {"array", "handles", array_handles}, {"array", "resolve_all", array_all},
};
static const struct way hot_ways[] = {{"hot", "resolve", hot_resolve}, {"hot", "scope", hot_scope}};

// ---- sets ----

// A random order of all places, the same in every run.
static uint32_t *shuffle(size_t count)
{
  uint32_t *order = table_map(count * sizeof *order);
  struct random random = random_seeded(count);
  for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
  for (size_t i = count - 1; i > 0; i--) {
    uint32_t other = random_below(&random, (uint32_t)i + 1);
    uint32_t place = order[i];
    order[i] = order[other];
    order[other] = place;
  }
  return order;
}

static struct node *filled(void *memory, size_t size)
{
  if (memory == NULL) die("no memory");
  struct node *node = memset(memory, 0, size);
  node->value = 1;
  return node;
}

// Makes the nodes one after the other, and links them in the order of the walk.
static void make_nodes(size_t size)
{
  uint32_t *order = shuffle(node_count);
  libc_nodes = table_map(node_count * sizeof *libc_nodes);
  mend_nodes = table_map(node_count * sizeof *mend_nodes);
  handles = table_map(node_count * sizeof *handles);
  mend_scope_enter();
  for (size_t i = 0; i < node_count; i++) libc_nodes[order[i]] = filled(malloc(size), size);
  for (size_t i = 0; i < node_count; i++) mend_nodes[order[i]] = filled(mend_malloc(size), size);
  for (size_t i = 0; i < node_count; i++) {
    handles[order[i]] = mend_handle_alloc(size);
    (void)filled(mend_resolve(handles[order[i]]), size);
  }
  for (size_t i = 0; i < node_count; i++) {
    libc_nodes[i]->next.pointer = libc_nodes[next_place(i)];
    mend_nodes[i]->next.pointer = mend_nodes[next_place(i)];
    ((struct node *)mend_resolve(handles[i]))->next.handle = handles[next_place(i)];
  }
  mend_scope_leave();
  munmap(order, node_count * sizeof *order);
}

static void end_nodes(void)
{
  for (size_t i = 0; i < node_count; i++) {
    free(libc_nodes[i]);
    mend_free(mend_nodes[i]);
    if (mend_handle_free(handles[i]) != MEND_OK) die("a node cannot be freed");
  }
  munmap(libc_nodes, node_count * sizeof *libc_nodes);
  munmap(mend_nodes, node_count * sizeof *mend_nodes);
  munmap(handles, node_count * sizeof *handles);
}

static void run_ways(const struct way *of, size_t count, const char *set, size_t size, size_t steps)
{
  size_t at[8] = {0};
  for (size_t round = 0; round <= ROUNDS; round++) {
    for (size_t i = 0; i < count; i++) {
      size_t way = (round + i) % count;
      double start = clock_seconds(CLOCK_MONOTONIC);
      of[way].function(&at[way], steps);
      double ns = (clock_seconds(CLOCK_MONOTONIC) - start) * 1e9 / (double)steps;
      if (round == 0) continue;  // a warm-up
      line_write("{\"round\":%zu,\"walk\":\"%s\",\"way\":\"%s\",\"set\":\"%s\",\"size\":%zu,"
                 "\"nodes\":%zu,\"ns\":%.3f}\n",
                 round, of[way].walk, of[way].name, set, size, node_count, ns);
    }
  }
}

static size_t cache_bytes(int name, size_t otherwise)
{
  long bytes = sysconf(name);
  return bytes > 0 ? (size_t)bytes : otherwise;
}

int main(int argc, char **argv)
{
  static const size_t sizes[] = {16, 32, 64, 128, 256};
  size_t scale = work_scale(argc, argv);
  size_t largest = 4 * cache_bytes(_SC_LEVEL3_CACHE_SIZE, 32 << 20);
  if (largest > BYTES_MOST) largest = BYTES_MOST;
  const struct {
    const char *name;
    size_t bytes, steps;
  } sets[] = {{"L1", cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10) / 2, STEPS},
              {"L2", cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10) / 2, STEPS},
              {"memory", largest, STEPS / 4}};
  node_count = HOT;
  make_nodes(64);
  run_ways(hot_ways, 2, "hot", 64, 10 * scale * STEPS);
  end_nodes();
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
    for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
      node_count = sets[i].bytes / sizes[j];
      make_nodes(sizes[j]);
      run_ways(ways, sizeof ways / sizeof ways[0], sets[i].name, sizes[j], scale * sets[i].steps);
      end_nodes();
    }
  }
  line_write("{\"sum\":%llu}\n", (unsigned long long)sum);
  return 0;
}
