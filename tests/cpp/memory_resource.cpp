// SPDX-License-Identifier: MIT
// standards: 17 20
//
// The resources of std::pmr: mend's memory, a heap's, and that of frames.
#include "support.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <list>
#include <memory_resource>
#include <string>
#include <vector>

#include "allocator.hpp"

using custom_alloc::frame_resource;
using custom_alloc::global_resource;
using custom_alloc::heap;
using custom_alloc::memory_resource;

namespace
{

// What a frame does, `size` times over; returns where its last request went.
void *play_frame(frame_resource &frame, int size)
{
  std::pmr::list<std::pmr::string> names(&frame);
  for (int i = 0; i < size; ++i) names.emplace_back("a name that is no short string, and so on");
  void *place = frame.allocate(100, 512);
  CHECK(is_aligned(place, 512));
  return frame.allocate(0, 1);
}

}  // namespace

TEST_CASE("global and heap-bound resources allocate where they say, with every alignment")
{
  heap one;
  memory_resource in_heap(one);
  memory_resource global;
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    void *here = in_heap.allocate(100, alignment);
    void *there = global.allocate(100, alignment);
    CHECK(one.owns(here));
    CHECK_FALSE(one.owns(there));
    CHECK(is_aligned(here, alignment));
    CHECK(is_aligned(there, alignment));
    in_heap.deallocate(here, 100, alignment);
    global.deallocate(there, 100, alignment);
  }
  CHECK(live_blocks(one.native()) == 0);
  const std::size_t too_large = opaque(PTRDIFF_MAX);
  CHECK_THROWS_AS((void)in_heap.allocate(too_large), std::bad_alloc);
  CHECK_THROWS_AS((void)global.allocate(too_large), std::bad_alloc);
}

TEST_CASE("what is no alignment is refused")
{
  heap one;
  memory_resource in_heap(one), global;
  frame_resource frame(one);
  std::pmr::memory_resource *const all[] = {&in_heap, &global, &frame};
  for (std::pmr::memory_resource *resource : all)
    for (std::size_t wrong : {0u, 3u, 12u, 6000u})
      CHECK_THROWS_AS((void)resource->allocate(100, opaque(wrong)), std::bad_alloc);
  CHECK(live_blocks(one.native()) == 0);
}

TEST_CASE("resources of the same memory are equal")
{
  heap one, two;
  memory_resource first(one), same(one), other(two), global;
  CHECK(first == same);
  CHECK(first != other);
  CHECK(first != global);
  CHECK(global == *global_resource());
  CHECK(first != *std::pmr::new_delete_resource());
  CHECK(global_resource() == global_resource());
  frame_resource frame, another;
  CHECK(frame == frame);
  CHECK(frame != another);
}

TEST_CASE("the global resource can be the default")
{
  std::pmr::memory_resource *before = std::pmr::set_default_resource(global_resource());
  {
    std::pmr::vector<int> numbers(100);
    CHECK(mend_owns(numbers.data()));
  }
  std::pmr::set_default_resource(before);
  CHECK(live_blocks() == 0);
}

TEST_CASE("a frame that is like the last one asks the heap for nothing")
{
  heap one;
  frame_resource frame(one, 1024);
  CHECK(frame.bytes_reserved() == 0);
  void *last = nullptr;
  std::size_t settled = 0;
  for (int round = 0; round < 10; ++round) {
    void *place = play_frame(frame, 1000);
    CHECK(frame.bytes_used() > 40000);
    if (round >= 3) {
      CHECK(frame.bytes_reserved() == settled);
      CHECK(place == last);  // the same requests are met by the same places
    }
    settled = frame.bytes_reserved();
    last = place;
    frame.reset();
    CHECK(frame.bytes_used() == 0);
    CHECK(frame.bytes_reserved() >= settled);
    CHECK(live_blocks(one.native()) == 1);
    settled = frame.bytes_reserved();
  }
  frame.release();
  CHECK(frame.bytes_reserved() == 0);
  CHECK(live_blocks(one.native()) == 0);
  play_frame(frame, 10);
  CHECK(live_blocks(one.native()) >= 1);
}

TEST_CASE("a frame's requests do not overlap, whatever their sizes and alignments")
{
  heap one;
  {
    frame_resource frame(one, 4096);
    std::mt19937_64 random(random_seed());
    for (int round = 0; round < 4; ++round) {
      struct request {
        unsigned char *place;
        std::size_t size;
        unsigned char mark;
      };
      std::vector<request> requests;
      for (std::size_t i = 0; i < test_scaled(2000) + 10; ++i) {
        std::size_t size = random() % (i % 50 == 0 ? 20000 : 300);
        std::size_t alignment = std::size_t(1) << (random() % 13);
        auto mark = static_cast<unsigned char>(i);
        auto *place = static_cast<unsigned char *>(frame.allocate(size, alignment));
        REQUIRE(is_aligned(place, alignment));
        REQUIRE((size == 0 || (one.owns(place) && one.owns(place + size - 1))));
        std::memset(place, mark, size);
        requests.push_back({place, size, mark});
        if (i % 3 == 0) frame.deallocate(place, size, alignment);  // changes nothing
      }
      for (const request &made : requests)
        REQUIRE(std::count(made.place, made.place + made.size, made.mark) ==
                static_cast<std::ptrdiff_t>(made.size));
      frame.reset();
    }
  }
  CHECK(live_blocks(one.native()) == 0);
}

TEST_CASE("a request may need a chunk of its own, whatever its alignment")
{
  for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
    frame_resource frame(1);
    for (int i = 0; i < 20; ++i) {
      void *place = frame.allocate(alignment, alignment);
      REQUIRE(place != nullptr);
      REQUIRE(is_aligned(place, alignment));
      CHECK(frame.allocate(0, 1) != frame.allocate(0, 1));
    }
  }
}

TEST_CASE("a request that is too large throws, and the frame goes on")
{
  frame_resource frame;
  char *text = static_cast<char *>(frame.allocate(10, 1));
  std::memcpy(text, "unchanged", 10);
  volatile std::size_t too_large = PTRDIFF_MAX, overflowing = SIZE_MAX - 8;
  CHECK_THROWS_AS((void)frame.allocate(too_large, 1), std::bad_alloc);
  CHECK_THROWS_AS((void)frame.allocate(overflowing, 16), std::bad_alloc);
  CHECK(frame.bytes_used() == 10);
  CHECK(std::strcmp(text, "unchanged") == 0);
  CHECK(frame.allocate(10, 1) != nullptr);
}
