// SPDX-License-Identifier: MIT
//
// A live block is given back by what does not belong to it: by the function of another kind, with
// another size, with another alignment.
#include "cases.h"

static const struct {
  enum source source;
  enum use use;
} kinds[] = {
    {BY_MALLOC, USE_DELETE},        {BY_MALLOC, USE_DELETE_ARRAY}, {BY_CALLOC, USE_DELETE},
    {BY_REALLOC_GROWN, USE_DELETE}, {BY_ALIGNED_64, USE_DELETE},   {BY_NEW, USE_FREE},
    {BY_NEW, USE_DELETE_ARRAY},     {BY_NEW, USE_REALLOC},         {BY_NEW_ARRAY, USE_FREE},
    {BY_NEW_ARRAY, USE_DELETE},     {BY_NEW_ARRAY, USE_REALLOC},   {BY_NEW_ALIGNED, USE_FREE},
    {BY_MEND, USE_DELETE},          {BY_NEW, USE_MEND_FREE},
};
const char *const kind_ways[] = {"malloc_delete",    "malloc_delete_array", "calloc_delete",
                                 "realloc_delete",   "aligned_delete",      "new_free",
                                 "new_delete_array", "new_realloc",         "new_array_free",
                                 "new_array_delete", "new_array_realloc",   "new_aligned_free",
                                 "mend_delete",      "new_mend_free",       NULL};
const char *const size_ways[] = {
    "one_more",        "one_less",        "double",       "zero",    "most",
    "delete_one_more", "delete_one_less", "delete_array", "aligned", NULL};
const char *const alignment_ways[] = {"more",        "less",         "delete_more", "delete_less",
                                      "delete_none", "delete_plain", NULL};

void run_wrong_kind(const struct attack *attack)
{
  void *block = source_allocate(kinds[attack->way].source, attack->size);
  use_pointer(kinds[attack->way].use, block, attack->size);
  oracle_judge(attack->size);
}

static size_t wrong_size(const struct attack *attack)
{
  size_t size = attack->size;
  if (attack_way_is(attack, "one_less") || attack_way_is(attack, "delete_one_less")) {
    return size - 1;
  }
  if (attack_way_is(attack, "double")) return 2 * size;
  if (attack_way_is(attack, "zero")) return 0;
  if (attack_way_is(attack, "most")) return SIZE_MAX;
  return size + 1;
}

void run_wrong_size(const struct attack *attack)
{
  size_t size = attack->size, wrong = wrong_size(attack);
  const char *way = attack->threat->ways[attack->way];
  if (strcmp(way, "delete_array") == 0) {
    use_pointer(USE_DELETE_ARRAY, NULL, 0);  // tells whether there are operators
    void *block = source_allocate(BY_NEW_ARRAY, size);
    attack_misuse();
    cxx_delete_array_sized(block, wrong);
  } else if (strncmp(way, "delete", 6) == 0) {
    use_pointer(USE_DELETE_SIZED, source_allocate(BY_NEW, size), wrong);
  } else if (strcmp(way, "aligned") == 0) {
    if (free_aligned_sized == NULL) attack_cannot("the allocator lacks the function");
    void *block = source_allocate(BY_ALIGNED_64, size);
    attack_misuse();
    free_aligned_sized(block, 64, wrong);
  } else {
    use_pointer(USE_FREE_SIZED, source_allocate(BY_MALLOC, size), wrong);
  }
  oracle_judge(size);
}

static void delete_with(void *block, size_t alignment)
{
  attack_misuse();
  cxx_delete_aligned(block, alignment);
}

void run_wrong_alignment(const struct attack *attack)
{
  size_t size = attack->size;
  if (attack_way_is(attack, "more") || attack_way_is(attack, "less")) {
    if (free_aligned_sized == NULL) attack_cannot("the allocator lacks the function");
    void *block = source_allocate(BY_ALIGNED_64, size);
    attack_misuse();
    free_aligned_sized(block, attack_way_is(attack, "more") ? 128 : 32, size);
  } else if (attack_way_is(attack, "delete_plain")) {
    use_pointer(USE_DELETE, source_allocate(BY_NEW_ALIGNED, size), size);
  } else if (attack_way_is(attack, "delete_none")) {
    delete_with(source_allocate(BY_NEW, size), 64);
  } else {
    delete_with(source_allocate(BY_NEW_ALIGNED, size),
                attack_way_is(attack, "delete_more") ? 128 : 32);
  }
  oracle_judge(size);
}
