// SPDX-License-Identifier: MIT
//
// mend for C++: memory resources for std::pmr, where the standard library has it (C++17). Since
// 0.3.
//
//     custom_alloc::heap heap;
//     custom_alloc::memory_resource resource(heap);
//     std::pmr::vector<int> numbers(&resource);
//
//     custom_alloc::frame_resource frame;    // of a game, a request, a batch
//     for (;;) { ... std::pmr::string(&frame) ...; frame.reset(); }
#ifndef CUSTOM_ALLOC_MEMORY_RESOURCE_HPP
#define CUSTOM_ALLOC_MEMORY_RESOURCE_HPP

#include "detail.hpp"

#if CUSTOM_ALLOC_CXX17
#if __has_include(<memory_resource>)
#include <memory_resource>
#endif
#endif

#if defined(__cpp_lib_memory_resource)
#define CUSTOM_ALLOC_HAS_MEMORY_RESOURCE 1

#include <cstddef>
#include <memory>
#include <new>

#include "heap.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

// mend's memory, or a heap's, which must outlive it. Any thread may use it. Equal are two of the
// same heap; without RTTI, one to itself.
class memory_resource final : public std::pmr::memory_resource
{
public:
  memory_resource() noexcept : heap_(nullptr)
  {
  }
  explicit memory_resource(heap &from) noexcept : heap_(from.native())
  {
  }
  // The heap; NULL for mend_malloc's memory.
  mend_heap *native() const noexcept
  {
    return heap_;
  }

private:
  void *do_allocate(std::size_t bytes, std::size_t alignment) override
  {
    return detail::allocate_from(heap_, bytes, alignment);
  }
  void do_deallocate(void *block, std::size_t, std::size_t) override
  {
    mend_free(block);
  }
  bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
  {
#if defined(__cpp_rtti)
    const memory_resource *ours = dynamic_cast<const memory_resource *>(&other);
    return ours != nullptr && ours->heap_ == heap_;
#else
    return this == &other;
#endif
  }

  mend_heap *heap_;
};

// The one of mend_malloc's memory, which is there as long as the process is: it may be given to
// std::pmr::set_default_resource.
inline memory_resource *global_resource() noexcept
{
  alignas(memory_resource) static unsigned char place[sizeof(memory_resource)];
  static memory_resource *const resource = ::new (static_cast<void *>(place)) memory_resource();
  return resource;
}

// Memory that is all given back at once, at the end of a *frame*: an allocation moves a pointer on,
// a deallocation does nothing. It is for one thread at a time. What is allocated lives until
// reset(), release() or the resource's end; destructors are the program's affair.
class frame_resource final : public std::pmr::memory_resource
{
public:
  // Nothing is allocated before the first request, which takes at least `chunk_bytes`.
  explicit frame_resource(std::size_t chunk_bytes = 65536) noexcept
      : frame_resource(nullptr, chunk_bytes)
  {
  }
  // From a heap, which must outlive it.
  explicit frame_resource(heap &from, std::size_t chunk_bytes = 65536) noexcept
      : frame_resource(from.native(), chunk_bytes)
  {
  }
  frame_resource(const frame_resource &) = delete;
  frame_resource &operator=(const frame_resource &) = delete;
  ~frame_resource() override
  {
    release();
  }

  // The frame's end: everything allocated is invalid, the memory stays. If it was in more than one
  // chunk, one as large as all takes their place: a program whose frames are alike soon needs none.
  void reset() noexcept
  {
    if (chunks_ != nullptr && chunks_->next != nullptr) {
      std::size_t bytes = reserved_;
      release();
      void *block = detail::try_allocate(heap_, bytes, detail::natural_alignment);
      if (block != nullptr) add(block, bytes);
    }
    used_ = 0;
    cursor_ = first_byte();
  }
  // Everything allocated is invalid, and the memory is given back.
  void release() noexcept
  {
    while (chunks_ != nullptr) {
      chunk *gone = chunks_;
      chunks_ = gone->next;
      mend_free(gone);
    }
    cursor_ = end_ = nullptr;
    used_ = reserved_ = 0;
  }
  // What this frame has asked for, and what the chunks take.
  std::size_t bytes_used() const noexcept
  {
    return used_;
  }
  std::size_t bytes_reserved() const noexcept
  {
    return reserved_;
  }

private:
  // In front of what it holds. The newest comes first; allocations are made from that one.
  struct alignas(detail::natural_alignment) chunk {
    chunk *next;
    std::size_t bytes;
  };

  frame_resource(mend_heap *native, std::size_t chunk_bytes) noexcept
      : heap_(native), chunk_bytes_(chunk_bytes)
  {
  }

  unsigned char *first_byte() const noexcept
  {
    return chunks_ == nullptr ? nullptr : reinterpret_cast<unsigned char *>(chunks_ + 1);
  }

  void add(void *block, std::size_t bytes) noexcept
  {
    chunks_ = ::new (block) chunk{chunks_, bytes};
    reserved_ += bytes;
    cursor_ = first_byte();
    end_ = static_cast<unsigned char *>(block) + bytes;
  }

  // A chunk with room for the request, at least as large as all before.
  CUSTOM_ALLOC_COLD void grow(std::size_t bytes, std::size_t alignment)
  {
    std::size_t extra = sizeof(chunk) + alignment;
    if (bytes > static_cast<std::size_t>(-1) - extra) detail::throw_bad_alloc();
    std::size_t wanted = bytes + extra;
    if (wanted < chunk_bytes_) wanted = chunk_bytes_;
    if (wanted < reserved_) wanted = reserved_;
    wanted = mend_good_size(wanted);
    add(detail::allocate_from(heap_, wanted, detail::natural_alignment), wanted);
  }

  // The next place that fits; NULL if the chunk has none.
  void *take(std::size_t bytes, std::size_t alignment) noexcept
  {
    void *place = cursor_;
    std::size_t room = static_cast<std::size_t>(end_ - cursor_);
    if (place == nullptr || std::align(alignment, bytes, place, room) == nullptr) return nullptr;
    cursor_ = static_cast<unsigned char *>(place) + bytes;
    used_ += bytes;
    return place;
  }

  void *do_allocate(std::size_t bytes, std::size_t alignment) override
  {
    if (!detail::is_alignment(alignment)) detail::throw_bad_alloc();
    if (bytes == 0) bytes = 1;
    void *place = take(bytes, alignment);
    if (place != nullptr) return place;
    grow(bytes, alignment);
    return take(bytes, alignment);
  }
  void do_deallocate(void *, std::size_t, std::size_t) override
  {
  }
  bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
  {
    return this == &other;
  }

  mend_heap *heap_;
  std::size_t chunk_bytes_;
  chunk *chunks_ = nullptr;
  unsigned char *cursor_ = nullptr, *end_ = nullptr;
  std::size_t used_ = 0, reserved_ = 0;
};

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
#endif
