// SPDX-License-Identifier: MIT
// standards: 11 17
//
// The passes of defragmentation.hpp in all their forms: whole ones and steps, with a report and
// without, of all heaps and of one.
#include "moving.hpp"

#include <vector>

using custom_alloc::defrag_budget;
using custom_alloc::defrag_report;
using custom_alloc::handle_heap;

namespace
{

// Objects with three holes to each, which a whole pass would move together.
std::vector<mend_handle> sparse(handle_heap &heap)
{
  std::vector<mend_handle> all, left;
  for (int i = 0; i < 4000; ++i) all.push_back(custom_alloc::allocate_handle(heap, 100));
  for (std::size_t i = 0; i < all.size(); ++i)
    if (i % 4 == 0)
      left.push_back(all[i]);
    else
      custom_alloc::deallocate_handle(all[i]);
  return left;
}

// Takes steps to their end; says whether there were several.
template <class Step> bool takes_several(Step step)
{
  int steps = 1;
  for (mend_status status = step(); status != MEND_OK; status = step()) {
    REQUIRE((status == MEND_PARTIAL || status == MEND_BUSY || status == MEND_BLOCKED));
    if (status == MEND_PARTIAL) steps++;
  }
  return steps > 1;
}

}  // namespace

TEST_CASE("steps with a report and without, of one heap and of all, come to the same end")
{
  defrag_budget little;
  little.bytes = 1000;
  for (int form = 0; form < 4; ++form) {
    handle_heap heap;
    std::vector<mend_handle> objects = sparse(heap);
    double before = custom_alloc::fragmentation(heap).all_in;
    defrag_report report;
    std::size_t moved = 0;
    auto step = [&] {
      mend_status status = form == 0   ? custom_alloc::defragment_step(little)
                           : form == 1 ? custom_alloc::defragment_step(heap, little)
                           : form == 2 ? custom_alloc::defragment_step(little, report)
                                       : custom_alloc::defragment_step(heap, little, report);
      moved += report.objects_moved;
      return status;
    };
    CHECK(takes_several(step));
    CHECK((moved > 0) == (form >= 2));
    CHECK(custom_alloc::fragmentation(heap).all_in < before);
    CHECK(custom_alloc::fragmentation(heap).objects == objects.size());
    for (mend_handle object : objects) custom_alloc::deallocate_handle(object);
  }
}
