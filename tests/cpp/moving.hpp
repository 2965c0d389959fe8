// SPDX-License-Identifier: MIT
//
// What the tests of handles share: passes that free what waits and say what is left, a type that
// notices when it is moved by anything but its move constructor, and the making of holes.
#ifndef TESTS_CPP_MOVING_HPP
#define TESTS_CPP_MOVING_HPP

#include "support.hpp"

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "defragmentation.hpp"

// One whole pass; what the option handle_stir or another thread is doing is waited for.
inline custom_alloc::defrag_report whole_pass()
{
  for (;;) {
    custom_alloc::defrag_report report;
    mend_status status = custom_alloc::defragment(report);
    if (status == MEND_OK) return report;
    if (status != MEND_BUSY && status != MEND_BLOCKED) std::abort();
  }
}

// How many objects there are in all heaps, deferred frees done.
inline std::size_t objects()
{
  (void)whole_pass();
  return custom_alloc::fragmentation().objects;
}

// Knows where it is, and how many there are. The one that is made when `fuse` reaches 0 throws;
// moving never does.
class tracked
{
public:
  static std::atomic<int> &live()
  {
    static std::atomic<int> count(0);
    return count;
  }
  static int &fuse()
  {
    static int left = -1;
    return left;
  }

  explicit tracked(std::size_t seed = 0) : self_(this), text_(std::to_string(seed))
  {
    light();
    live()++;
  }
  tracked(const tracked &other) : self_(this), text_(other.text_)
  {
    light();
    live()++;
  }
  tracked(tracked &&other) noexcept : self_(this), text_(std::move(other.text_))
  {
    if (!other.is_whole()) std::abort();
    live()++;
  }
  tracked &operator=(const tracked &other)
  {
    text_ = other.text_;
    return *this;
  }
  tracked &operator=(tracked &&other) noexcept
  {
    text_ = std::move(other.text_);
    return *this;
  }
  ~tracked()
  {
    if (!is_whole()) std::abort();
    self_ = nullptr;
    live()--;
  }

  bool is_whole() const noexcept
  {
    return self_ == this;
  }
  void fill(std::size_t seed)
  {
    text_ = std::to_string(seed);
  }
  bool holds(std::size_t seed) const
  {
    return is_whole() && text_ == std::to_string(seed);
  }
  bool operator==(const tracked &other) const
  {
    return text_ == other.text_;
  }

private:
  static void light()
  {
#if defined(__cpp_exceptions)
    if (fuse() >= 0 && fuse()-- == 0) throw 42;
#endif
  }

  const tracked *self_;
  std::string text_;
};

// Keeps one in eight of many: then a pass has something to do.
template <class Store> void thin_out(std::vector<Store> &stores)
{
  std::vector<Store> kept;
  for (std::size_t i = 0; i < stores.size(); i += 8) kept.push_back(std::move(stores[i]));
  stores.swap(kept);
}

#endif
