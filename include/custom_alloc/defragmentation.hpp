// SPDX-License-Identifier: MIT
//
// Memory that can be defragmented, for C++: handles in all their forms (the headers included here),
// and the passes that move what they name. What moves when, and how long an address is good, is
// told at the head of mend/handle.h; the functions below are those of C, and report in the same
// words. None throws. Since 0.3.
#ifndef CUSTOM_ALLOC_DEFRAGMENTATION_HPP
#define CUSTOM_ALLOC_DEFRAGMENTATION_HPP

#include "mend/handle.h"
#include "parts/handle.hpp"
#include "parts/pinned.hpp"
#include "parts/raw_handle.hpp"
#include "parts/relocatable.hpp"
#include "parts/relocatable_vector.hpp"
#include "parts/shared_handle.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

// The structs of C, with all fields 0 but `bytes`, which says how large they are.
struct defrag_report : mend_defrag_report {
  defrag_report() noexcept : mend_defrag_report()
  {
    bytes = sizeof(mend_defrag_report);
  }
};
struct fragmentation_info : mend_fragmentation {
  fragmentation_info() noexcept : mend_fragmentation()
  {
    bytes = sizeof(mend_fragmentation);
  }
};
struct defrag_options : mend_defrag_options {
  defrag_options() noexcept : mend_defrag_options()
  {
    bytes = sizeof(mend_defrag_options);
  }
};
// All 0: no bound. (Its `bytes` bounds what is copied.)
struct defrag_budget : mend_defrag_budget {
  defrag_budget() noexcept : mend_defrag_budget()
  {
  }
};

// One whole pass over every heap of handles, which stay valid; ends the thread's implicit scope.
inline mend_status defragment() noexcept
{
  return mend_defragment(nullptr);
}
inline mend_status defragment(defrag_report &report) noexcept
{
  return mend_defragment(&report);
}
// A part of one, of all heaps or one. MEND_PARTIAL: there is more to do.
inline mend_status defragment_step(const defrag_budget &budget) noexcept
{
  return mend_defragment_step(nullptr, &budget, nullptr);
}
inline mend_status defragment_step(const defrag_budget &budget, defrag_report &report) noexcept
{
  return mend_defragment_step(nullptr, &budget, &report);
}
inline mend_status defragment_step(handle_heap &heap, const defrag_budget &budget) noexcept
{
  return mend_defragment_step(heap.native(), &budget, nullptr);
}
inline mend_status defragment_step(handle_heap &heap, const defrag_budget &budget,
                                   defrag_report &report) noexcept
{
  return mend_defragment_step(heap.native(), &budget, &report);
}
// What a pass would do now, if nobody were in its way. Moves nothing.
inline mend_status plan_defragmentation(defrag_report &report) noexcept
{
  return mend_defragment_plan(&report);
}
// Measures all heaps, or one. MEND_NO_MEMORY: there was none for the first handle of the program;
// `info` has not changed.
inline mend_status fragmentation(fragmentation_info &info) noexcept
{
  return mend_fragmentation_get(nullptr, &info);
}
inline mend_status fragmentation(const handle_heap &heap, fragmentation_info &info) noexcept
{
  return mend_fragmentation_get(heap.native(), &info);
}
// The same, all 0 on failure.
CUSTOM_ALLOC_NODISCARD inline fragmentation_info fragmentation() noexcept
{
  fragmentation_info info;
  (void)fragmentation(info);
  return info;
}
CUSTOM_ALLOC_NODISCARD inline fragmentation_info fragmentation(const handle_heap &heap) noexcept
{
  fragmentation_info info;
  (void)fragmentation(heap, info);
  return info;
}

// A thread that defragments in the background as long as this lives. There is one at a time in a
// process: status() is MEND_OK for who has started it, and only that one ends it.
class CUSTOM_ALLOC_NODISCARD background_defragmenter
{
public:
  CUSTOM_ALLOC_NODISCARD explicit background_defragmenter(
      const defrag_options &options = defrag_options()) noexcept
      : status_(mend_defragment_start(&options))
  {
  }
  background_defragmenter(const background_defragmenter &) = delete;
  background_defragmenter &operator=(const background_defragmenter &) = delete;
  ~background_defragmenter()
  {
    if (status_ == MEND_OK) mend_defragment_stop();
  }
  // How it went: MEND_OK, MEND_BUSY (there is another), MEND_NO_MEMORY, MEND_INVALID.
  mend_status status() const noexcept
  {
    return status_;
  }

private:
  mend_status status_;
};

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
