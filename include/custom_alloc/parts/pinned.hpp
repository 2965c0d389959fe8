// SPDX-License-Identifier: MIT
//
// pinned<T>: an object that stays where it is as long as this lives, whatever scopes do: for an
// address that a system call, a device or a library keeps for long.
//
// It holds the object in its place, not in life: whoever owns the object must outlive it.
#ifndef CUSTOM_ALLOC_PINNED_HPP
#define CUSTOM_ALLOC_PINNED_HPP

#include <cstddef>
#include <utility>

#include "detail.hpp"
#include "mend/handle.h"

namespace custom_alloc
{
inline namespace CUSTOM_ALLOC_ABI
{

namespace detail
{

// One more pin on the object; its address, or nullptr where there is no such object.
inline void *pin_object(mend_handle object)
{
  if (mend_handle_status(object) != MEND_OK) return nullptr;
  void *address = mend_pin(object);
  if (address == nullptr && mend_handle_status(object) == MEND_OK) throw_bad_alloc();
  return address;
}

// One pin, and an address in the object. Move-only.
template <class T> class pin_holder
{
public:
  constexpr pin_holder() noexcept : id_{0}, address_(nullptr)
  {
  }
  // Takes over one mend_pin of the object, unless `address` is nullptr.
  pin_holder(mend_handle object, T *address) noexcept : id_(object), address_(address)
  {
  }
  pin_holder(pin_holder &&other) noexcept : id_(other.id_), address_(other.address_)
  {
    other.address_ = nullptr;
  }
  pin_holder &operator=(pin_holder &&other) noexcept
  {
    pin_holder old(std::move(other));
    std::swap(id_, old.id_);
    std::swap(address_, old.address_);
    return *this;
  }
  ~pin_holder()
  {
    reset();
  }

  // The object may move again.
  void reset() noexcept
  {
    if (address_ != nullptr) (void)mend_unpin(id_);
    address_ = nullptr;
  }
  T *get() const noexcept
  {
    return address_;
  }
  explicit operator bool() const noexcept
  {
    return address_ != nullptr;
  }

private:
  mend_handle id_;
  T *address_;
};

}  // namespace detail

// What pin() of handle<T> and shared_handle<T> returns. Empty if they were. Any thread may end it.
// Since 0.3.
template <class T> class CUSTOM_ALLOC_NODISCARD pinned : public detail::pin_holder<T>
{
public:
  constexpr pinned() noexcept = default;
  using detail::pin_holder<T>::pin_holder;

  T &operator*() const noexcept
  {
    return *this->get();
  }
  T *operator->() const noexcept
  {
    return this->get();
  }
};

// What pin() of handle<T[]> and relocatable_vector<T> returns: their elements.
template <class T> class CUSTOM_ALLOC_NODISCARD pinned<T[]> : public detail::pin_holder<T>
{
public:
  constexpr pinned() noexcept = default;
  pinned(mend_handle object, T *address, std::size_t count) noexcept
      : detail::pin_holder<T>(object, address), size_(address != nullptr ? count : 0)
  {
  }

  T &operator[](std::size_t index) const noexcept
  {
    return this->get()[index];
  }
  // How many elements there were when it was made.
  std::size_t size() const noexcept
  {
    return *this ? size_ : 0;
  }
  T *begin() const noexcept
  {
    return this->get();
  }
  T *end() const noexcept
  {
    return this->get() + size();
  }

private:
  std::size_t size_ = 0;
};

}  // namespace CUSTOM_ALLOC_ABI
}  // namespace custom_alloc

#endif
