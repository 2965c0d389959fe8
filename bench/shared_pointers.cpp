// SPDX-License-Identifier: MIT
//
// Question: what do counted pointers cost: a copy that is made and dropped, an object that is?
//
// Model: objects of 32 bytes. "copy" takes one more reference to an object and gives it back.
// "slots" puts a reference to one of 256 objects into one of 256 places, both drawn at random, and
// so drops the one that was there. "make" makes an object and drops it. "churn" puts a new object
// into one of 1000 places drawn at random, and so drops an old one. "churn, destructor" is the same
// with objects whose destructor does something.
//
// Ways: std::make_shared, whose memory is that of the C library's operator new;
// custom_alloc::make_shared; mend_rc and mend_rc_local of mend/smart.h. The pointers of the C++
// library and mend_rc count without atomic steps while the process has one thread: all is run in a
// process that has had no other ("alone"), and again beside a thread that sleeps ("threads").
// There mend_rc_local has no match.
//
// Argument: the work scale. Prints JSON lines. Linked with libmend-core.a, so that operator new is
// the C library's.
#include <memory>
#include <mutex>
#include <thread>

#include "mend/smart.h"

#include "allocator.hpp"
#include "rounds.hpp"

namespace
{

enum { SLOTS = 256, LIVE = 1000, STEPS = 2000000 };

struct plain {
  std::uint64_t words[4];
};

std::uint64_t ended;

struct counted {
  std::uint64_t words[4];
  ~counted()
  {
    ended += words[0] + 1;
  }
};
void counted_end(plain *object)
{
  ended += object->words[0] + 1;
}

// ---- what there is to a pointer: all ways have the same four ----

template <class T> struct of_std {
  using pointer = std::shared_ptr<T>;
  static pointer make()
  {
    return std::make_shared<T>();
  }
};
template <class T> struct of_mend {
  using pointer = std::shared_ptr<T>;
  static pointer make()
  {
    return custom_alloc::make_shared<T>();
  }
};

// A reference of mend/smart.h as a value: no more than the calls that a program in C writes.
template <class Calls> class reference
{
public:
  reference() noexcept = default;
  explicit reference(plain *object) noexcept : object_(object)
  {
  }
  reference(const reference &other) noexcept : object_(Calls::retain(other.object_))
  {
  }
  reference(reference &&other) noexcept : object_(std::exchange(other.object_, nullptr))
  {
  }
  reference &operator=(reference other) noexcept
  {
    std::swap(object_, other.object_);
    return *this;
  }
  ~reference()
  {
    Calls::release(object_);
  }
  plain *get() const noexcept
  {
    return object_;
  }

private:
  plain *object_ = nullptr;
};
struct rc_calls {
  static plain *retain(plain *object)
  {
    return mend_rc_retain(object);
  }
  static void release(plain *object)
  {
    mend_rc_release(object);
  }
};
struct rc_local_calls {
  static plain *retain(plain *object)
  {
    return mend_rc_local_retain(object);
  }
  static void release(plain *object)
  {
    mend_rc_local_release(object);
  }
};
template <void (*destructor)(plain *)> struct of_rc {
  using pointer = reference<rc_calls>;
  static pointer make()
  {
    return pointer(mend_rc_make(plain, destructor));
  }
};
template <void (*destructor)(plain *)> struct of_rc_local {
  using pointer = reference<rc_local_calls>;
  static pointer make()
  {
    return pointer(mend_rc_local_make(plain, destructor));
  }
};

// ---- the measures ----

template <class Way> void copy(std::size_t steps)
{
  typename Way::pointer object = Way::make();
  for (std::size_t i = 0; i < steps; i++) {
    typename Way::pointer other(object);
    opaque(other.get());
  }
}

template <class Way> void slots(std::size_t steps)
{
  std::vector<typename Way::pointer> objects(SLOTS), places(SLOTS);
  for (auto &object : objects) object = Way::make();
  struct random random = random_seeded(1);
  for (std::size_t i = 0; i < steps; i++) {
    std::uint32_t drawn = random_next(&random);
    places[drawn % SLOTS] = objects[drawn / SLOTS % SLOTS];
  }
}

template <class Way> void make(std::size_t steps)
{
  for (std::size_t i = 0; i < steps; i++) {
    typename Way::pointer object = Way::make();
    opaque(object.get());
  }
}

template <class Way> void churn(std::size_t steps)
{
  std::vector<typename Way::pointer> places(LIVE);
  struct random random = random_seeded(1);
  for (std::size_t i = 0; i < steps; i++) {
    auto &place = places[random_below(&random, LIVE)];
    place = Way::make();
    place.get()->words[0] = i;
  }
}

void all_run(const char *process, bool is_alone, std::size_t scale)
{
  using rc = of_rc<nullptr>;
  using local = of_rc_local<nullptr>;
  using rc_end = of_rc<counted_end>;
  using local_end = of_rc_local<counted_end>;
  struct {
    const char *name;
    std::vector<way> ways;
  } measures[] = {
      {"copy",
       {{"std", copy<of_std<plain>>},
        {"make_shared", copy<of_mend<plain>>},
        {"mend_rc", copy<rc>},
        {"mend_rc_local", copy<local>}}},
      {"slots",
       {{"std", slots<of_std<plain>>},
        {"make_shared", slots<of_mend<plain>>},
        {"mend_rc", slots<rc>},
        {"mend_rc_local", slots<local>}}},
      {"make",
       {{"std", make<of_std<plain>>},
        {"make_shared", make<of_mend<plain>>},
        {"mend_rc", make<rc>},
        {"mend_rc_local", make<local>}}},
      {"churn",
       {{"std", churn<of_std<plain>>},
        {"make_shared", churn<of_mend<plain>>},
        {"mend_rc", churn<rc>},
        {"mend_rc_local", churn<local>}}},
      {"churn, destructor",
       {{"std", churn<of_std<counted>>},
        {"make_shared", churn<of_mend<counted>>},
        {"mend_rc", churn<rc_end>},
        {"mend_rc_local", churn<local_end>}}},
  };
  for (auto &measure : measures) {
    if (!is_alone) measure.ways.pop_back();
    rounds_run(measure.name, process, measure.ways, scale * STEPS);
  }
}

}  // namespace

int main(int argc, char **argv)
{
  const std::size_t scale = work_scale(argc, argv);
  all_run("alone", true, scale);
  std::mutex sleeping;
  sleeping.lock();
  std::thread other([&] { std::lock_guard<std::mutex> until_the_end(sleeping); });
  all_run("threads", false, scale);
  sleeping.unlock();
  other.join();
  return ended == 0;
}
