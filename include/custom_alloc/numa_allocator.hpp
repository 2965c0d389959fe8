// SPDX-License-Identifier: MIT
//
// mend for C++: memory on a NUMA node. Since 0.3.
//
//     void *block = custom_alloc::numa::allocate_on_node(1024 * 1024, 0);
//     custom_alloc::deallocate(block);
//     custom_alloc::numa::allocator<double> on_node(1);
//     std::vector<double, custom_alloc::numa::allocator<double>> samples(100, on_node);
//
// The memory of such a block comes from its node and no other, or the block is not given at all;
// mend/numa.h says what that means. Every function may be called from any thread. Each block takes
// address space in steps of 64 KiB, memory in os pages and a few system calls: it is meant for
// large ones, as those of vectors are, and those of lists are not.
#ifndef CUSTOM_ALLOC_NUMA_ALLOCATOR_HPP
#define CUSTOM_ALLOC_NUMA_ALLOCATOR_HPP

#include <cerrno>
#include <cstddef>
#include <new>
#include <system_error>
#include <type_traits>

#include "mend/numa.h"
#include "parts/detail.hpp"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{
namespace detail
{

// What follows a failure, which errno tells of: for lack of memory the program's new-handler is
// asked, as by operator new.
CUSTOM_ALLOC_COLD inline void *allocate_on_node_after_failure(std::size_t size, int node)
{
  for (;;) {
    if (errno != ENOMEM)
      throw_or_abort<std::system_error>(errno, std::generic_category(),
                                        "custom_alloc::numa: cannot bind memory to the node");
    std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw_bad_alloc();
    handler();
    void *block = mend_numa_alloc_on_node(size, node);
    if (block != nullptr) return block;
  }
}

}  // namespace detail

namespace numa
{

// A zeroed block of at least `size` bytes on the node, aligned to the os page or more. The caller
// owns it until deallocate() or any name of free that mend serves; mend_realloc keeps it on its
// node. Throws std::bad_alloc, after the program's new-handler, for lack of memory, address space
// or kernel mappings; std::system_error with the code EINVAL if there is no such node that the
// process may use, EPERM if it may not bind memory at all.
inline void *allocate_on_node(std::size_t size, int node)
{
  void *block = mend_numa_alloc_on_node(size, node);
  return block != nullptr ? block : detail::allocate_on_node_after_failure(size, node);
}

// The same, but NULL where it would throw, and errno tells why. No new-handler is called.
inline void *allocate_on_node(std::size_t size, int node, const std::nothrow_t &) noexcept
{
  return mend_numa_alloc_on_node(size, node);
}

// Gives back what either of these has returned. NULL is allowed.
inline void deallocate(void *block) noexcept
{
  mend_free(block);
}

// The node that the os page around an address lies on. -1, and errno tells why, if there is no
// memory behind the address yet, or the process may not ask.
inline int node_of(const void *pointer) noexcept
{
  return mend_numa_node_of(pointer);
}

// The allocator of containers whose elements lie on one node. Two are equal if their nodes are: a
// container that is moved or swapped takes its node along, one that is assigned to keeps its own.
template <class T> class allocator
{
public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using propagate_on_container_copy_assignment = std::false_type;
  using propagate_on_container_move_assignment = std::true_type;
  using propagate_on_container_swap = std::true_type;
  using is_always_equal = std::false_type;

  explicit allocator(int node) noexcept : node_(node)
  {
  }
  template <class U> allocator(const allocator<U> &other) noexcept : node_(other.node())
  {
  }

  // Room for `count` elements, none of which is made. Throws as allocate_on_node, and
  // std::bad_array_new_length if no size_t holds their size.
  CUSTOM_ALLOC_NODISCARD T *allocate(std::size_t count)
  {
    static_assert(alignof(T) <= 4096, "custom_alloc::numa::allocator: T is aligned to more than "
                                      "the os page, which is all that a node's blocks are");
    return static_cast<T *>(allocate_on_node(detail::array_bytes(count, sizeof(T)), node_));
  }
  void deallocate(T *block, std::size_t) noexcept
  {
    mend_free(block);
  }
  int node() const noexcept
  {
    return node_;
  }

private:
  int node_;
};

template <class T, class U>
bool operator==(const allocator<T> &one, const allocator<U> &other) noexcept
{
  return one.node() == other.node();
}
template <class T, class U>
bool operator!=(const allocator<T> &one, const allocator<U> &other) noexcept
{
  return one.node() != other.node();
}

}  // namespace numa
}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
