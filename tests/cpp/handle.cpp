// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// The functions for bytes behind handles, and the owner of one object or an array: who owns what,
// what is const, and that a failure leaves nothing behind.
#include "moving.hpp"

#include <cerrno>
#include <climits>
#include <cstring>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <unordered_set>
#include <utility>

using namespace custom_alloc;

namespace
{

int handler_calls;

void give_up_at_third_call()
{
  if (++handler_calls == 3) std::set_new_handler(nullptr);
}

struct pair {
  pair(int a, std::string b) : number(a), text(std::move(b))
  {
  }
  int number;
  std::string text;
};

// No pass can begin in the thread that makes or ends one; a move is not of that thread.
struct in_scope {
  in_scope()
  {
    ask();
  }
  in_scope(in_scope &&) noexcept
  {
  }
  ~in_scope()
  {
    ask();
  }
  static void ask()
  {
    if (mend_defragment(nullptr) != MEND_BUSY) std::abort();
  }
};

struct node {
  explicit node(int n) : number(n)
  {
  }
  int number;
  handle<node> next;
};

}  // namespace

TEST_CASE("bytes: made, resolved, resized, freed")
{
  mend_handle object = allocate_handle(100);
  CHECK(is_valid(object));
  CHECK(handle_size(object) == 100);
  {
    scope open;
    void *address = resolve(object);
    REQUIRE(address != nullptr);
    std::memset(address, 7, 100);
  }
  reallocate_handle(object, 5000);
  CHECK(handle_size(object) == 5000);
  {
    scope open;
    CHECK(static_cast<char *>(resolve(object))[99] == 7);
  }
  CHECK(reallocate_handle(object, 50, std::nothrow) == MEND_OK);
  void *address = pin(object);
  (void)whole_pass();
  {
    scope open;
    CHECK(resolve(object) == address);
  }
  CHECK(reallocate_handle(object, 100000, std::nothrow) == MEND_PINNED);
  CHECK_THROWS_AS(reallocate_handle(object, 100000), std::bad_alloc);
  CHECK(unpin(object) == MEND_OK);
  CHECK(deallocate_handle(object) == MEND_OK);
  CHECK(!is_valid(object));
  CHECK(resolve(object) == nullptr);
  CHECK(deallocate_handle(object) == MEND_STALE);
  CHECK_THROWS_AS(reallocate_handle(object, 100), std::invalid_argument);
  CHECK_THROWS_AS(reallocate_handle(MEND_HANDLE_NULL, 100), std::invalid_argument);
  CHECK(deallocate_handle_deferred(allocate_handle(7)) == MEND_OK);
  quiescent();
  CHECK(objects() == 0);
}

TEST_CASE("bytes: alignments, in a heap and in none")
{
  handle_heap heap;
  for (std::size_t alignment = 1; alignment <= MEND_HANDLE_MAX_ALIGNMENT; alignment *= 2) {
    mend_handle some[] = {allocate_handle(300, alignment), allocate_handle(heap, 300, alignment),
                          allocate_handle(300, alignment, std::nothrow),
                          allocate_handle(heap, 300, alignment, std::nothrow)};
    for (mend_handle object : some) {
      scope open;
      CHECK(is_aligned(resolve(object), alignment));
      reallocate_handle(object, 9000, alignment);
      CHECK(is_aligned(resolve(object), alignment));
      CHECK(reallocate_handle(object, 80, alignment, std::nothrow) == MEND_OK);
      CHECK(is_aligned(resolve(object), alignment));
      deallocate_handle(object);
    }
  }
  mend_handle object = allocate_handle(100, 64);
  for (std::size_t alignment : {0u, 3u, 12u, 48u, 8192u}) {
    CHECK_THROWS_AS((void)allocate_handle(100, alignment), std::bad_alloc);
    CHECK(mend_handle_is_null(allocate_handle(100, alignment, std::nothrow)));
    CHECK_THROWS_AS(reallocate_handle(object, 300, alignment), std::invalid_argument);
    CHECK(reallocate_handle(object, 300, alignment, std::nothrow) == MEND_INVALID);
  }
  CHECK(handle_size(object) == 100);
  deallocate_handle(object);
}

TEST_CASE("bytes: no memory, and the new-handler")
{
  const std::size_t too_large = opaque(PTRDIFF_MAX);
  CHECK_THROWS_AS((void)allocate_handle(too_large), std::bad_alloc);
  CHECK(mend_handle_is_null(allocate_handle(too_large, std::nothrow)));
  mend_handle object = allocate_handle(100);
  relocatable_vector<char> bytes(100);
  handler_calls = 0;
  std::set_new_handler(give_up_at_third_call);
  CHECK_THROWS_AS((void)allocate_handle(too_large), std::bad_alloc);
  CHECK(handler_calls == 3);
  handler_calls = 0;
  std::set_new_handler(give_up_at_third_call);
  CHECK_THROWS_AS(reallocate_handle(object, too_large), std::bad_alloc);
  CHECK(handler_calls == 3);
  handler_calls = 0;
  std::set_new_handler(give_up_at_third_call);
  CHECK_THROWS_AS(bytes.reserve(bytes.max_size()), std::bad_alloc);
  CHECK(handler_calls == 3);
  // Not of what no memory would help.
  std::set_new_handler(give_up_at_third_call);
  for (std::size_t alignment : {0u, 3u, 12u, 48u, 8192u}) {
    CHECK_THROWS_AS((void)allocate_handle(100, opaque(alignment)), std::bad_alloc);
    CHECK_THROWS_AS(reallocate_handle(object, 300, opaque(alignment)), std::invalid_argument);
  }
  CHECK(pin(object) != nullptr);
  CHECK_THROWS_AS(reallocate_handle(object, 100000), std::bad_alloc);
  std::set_new_handler(nullptr);
  CHECK(handler_calls == 3);
  CHECK(deallocate_handle(object) == MEND_OK);
}

TEST_CASE("handle: one word, move-only, of an object that it ends")
{
  static_assert(sizeof(handle<pair>) == 8, "");
  static_assert(!std::is_copy_constructible<handle<pair>>::value, "");
  static_assert(!std::is_copy_assignable<handle<pair>>::value, "");
  static_assert(std::is_nothrow_move_constructible<handle<pair>>::value, "");
  static_assert(std::is_nothrow_move_assignable<handle<pair>>::value, "");
  static_assert(is_trivially_relocatable<handle<pair>>::value, "");
  handle<pair> one = make_handle<pair>(7, "seven");
  CHECK((*one).number == 7);
  CHECK(one->text == "seven");
  CHECK(one.get() == &*one);
  CHECK(is_valid(one.id()));
  handle<pair> other = std::move(one);
  CHECK(!one);
  CHECK(one.get() == nullptr);
  CHECK(one == nullptr);
  CHECK(other != nullptr);
  CHECK((nullptr == one && nullptr != other));
  CHECK(!(nullptr != one || nullptr == other));
  CHECK(one != other);
  swap(one, other);
  CHECK(one->number == 7);
  mend_handle name = one.release();
  CHECK(!one);
  CHECK(is_valid(name));
  one = handle<pair>::adopt(name);
  CHECK(one->text == "seven");
  other = make_handle<pair>(8, "eight");
  one = std::move(other);
  CHECK(!is_valid(name));
  CHECK(one->number == 8);
  one = nullptr;
  one.reset();
  CHECK(objects() == 0);
}

TEST_CASE("handle: const goes one way, and is shallow as a pointer's")
{
  handle<const std::string> one = make_handle<std::string>("const");
  static_assert(std::is_same<decltype(*one), const std::string &>::value, "");
  static_assert(!std::is_constructible<handle<std::string>, handle<const std::string>>::value, "");
  const handle<std::string> fixed = make_handle<std::string>("shallow");
  fixed->append("!");
  CHECK(*one == "const");
  CHECK(*make_handle<const std::string>("const") == *one);
  CHECK(*fixed == "shallow!");
}

TEST_CASE("handle: arrays of a number that is known at run time")
{
  handle<tracked[]> many = make_handle<tracked[]>(5);
  CHECK(many.size() == 5);
  CHECK(tracked::live() == 5);
  many[3].fill(3);
  CHECK(many.get()[3].holds(3));
  CHECK(many[4].holds(0));
  handle<const tracked[]> fixed = std::move(many);
  static_assert(std::is_same<decltype(fixed[0]), const tracked &>::value, "");
  CHECK(many.size() == 0);
  CHECK(fixed[3].holds(3));
  fixed = handle<const tracked[]>::adopt(fixed.release());
  fixed.reset();
  CHECK(tracked::live() == 0);
  CHECK(make_handle<tracked[]>(0).size() == 0);
  handle<int[]> ints = make_handle<int[]>(1000);
  for (std::size_t i = 0; i < ints.size(); i++) REQUIRE(ints[i] == 0);
  CHECK_THROWS_AS((void)make_handle<int[]>(opaque(SIZE_MAX / 2)), std::bad_alloc);
  CHECK_THROWS_AS((void)make_handle<int[]>(opaque(SIZE_MAX / 8)), std::bad_alloc);
}

TEST_CASE("handle: a constructor that throws leaves nothing")
{
  for (int fuse = 0; fuse < 5; fuse++) {
    tracked::fuse() = fuse;
    CHECK_THROWS_AS((void)make_handle<tracked[]>(5), int);
  }
  tracked::fuse() = 0;
  CHECK_THROWS_AS((void)make_handle<tracked>(7u), int);
  tracked::fuse() = 0;
  CHECK_THROWS_AS((void)make_shared_handle<tracked>(7u), int);
  tracked::fuse() = -1;
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
  mend_scope_leave();  // does nothing: none is open
  CHECK(defragment() == MEND_OK);
}

TEST_CASE("constructors and destructors run within a scope, none of which is left open")
{
  {
    handle<in_scope> one = make_handle<in_scope>();
    handle<in_scope[]> many = make_handle<in_scope[]>(3);
    shared_handle<in_scope> shared = make_shared_handle<in_scope>();
    CHECK(defragment() == MEND_OK);
  }
  CHECK(defragment() == MEND_OK);
  relocatable_vector<std::string> texts = {"a", "b"};
  texts.push_back("c");
  texts.emplace_back("d");
  texts.resize(9);
  texts.pop_back();
  texts.shrink_to_fit();
  CHECK(texts.size() == 8);
  CHECK(defragment() == MEND_OK);
}

TEST_CASE("handle: of an object with handles, and recursive")
{
  handle<node> list;
  for (int i = 0; i < 100; i++) {
    handle<node> first = make_handle<node>(i);
    first->next = std::move(list);
    list = std::move(first);
  }
  (void)whole_pass();
  int number = 99;
  for (node *at = list.get(); at != nullptr; at = at->next.get()) CHECK(at->number == number--);
  CHECK(number == -1);
  list.reset();
  CHECK(objects() == 0);
}

TEST_CASE("handle: in a heap, and told apart by its hash")
{
  handle_heap heap;
  handle<pair> one = make_handle_in<pair>(heap, 1, "one");
  handle<tracked[]> many = make_handle_in<tracked[]>(heap, 3);
  shared_handle<pair> shared = make_shared_handle_in<pair>(heap, 2, "two");
  CHECK(fragmentation(heap).objects == 3);
  std::unordered_set<handle<int>> set;
  for (int i = 0; i < 100; i++) set.insert(make_handle<int>(i));
  CHECK(set.size() == 100);
  one.reset();
  many.reset();
  shared.reset();
  (void)whole_pass();
  CHECK(fragmentation(heap).objects == 0);
  handle_heap other = std::move(heap);
  CHECK(heap.native() == nullptr);
  heap = std::move(other);
  CHECK(heap.native() != nullptr);
  mend_handle_heap *native = heap.native();
  handle_heap third;
  swap(heap, third);
  CHECK(third.native() == native);
  third.swap(heap);
  CHECK(heap.native() == native);
}

TEST_CASE("handle: whose heap has ended before it, does nothing")
{
  handle<tracked> left;
  {
    handle_heap heap;
    left = make_handle_in<tracked>(heap);
  }
  CHECK(left.get() == nullptr);
  left.reset();
  CHECK(tracked::live() == 1);  // as documented: the heap knows no destructors
  tracked::live() = 0;
}

TEST_CASE("pinned: stays through passes, and is let go once")
{
  static_assert(!std::is_copy_constructible<pinned<int>>::value, "");
  std::vector<handle<pair>> all;
  for (int i = 0; i < 3000; i++) all.push_back(make_handle<pair>(i, "pinned"));
  thin_out(all);
  std::vector<pinned<pair>> pins;
  for (handle<pair> &each : all) pins.push_back(each.pin());
  custom_alloc::defrag_report report = whole_pass();
  CHECK(report.objects_moved == 0);
  for (std::size_t i = 0; i < all.size(); i++) {
    scope open;
    REQUIRE(all[i].get() == pins[i].get());
    REQUIRE(pins[i]->number == static_cast<int>(8 * i));
    REQUIRE((*pins[i]).text == "pinned");
  }
  pins.clear();
  CHECK(unpin(all[0].id()) == MEND_INVALID);
  CHECK(whole_pass().objects_moved > 0);
  CHECK(!pinned<int>());
  handle<pair> none;
  CHECK(!none.pin());
  pinned<pair> one = all[0].pin(), two = std::move(one);
  CHECK(!one);
  CHECK(two);
  two.reset();
  CHECK(!two);
  CHECK(unpin(all[0].id()) == MEND_INVALID);
  handle<int[]> ints = make_handle<int[]>(7);
  pinned<int[]> elements = ints.pin();
  for (int &each : elements) each = 3;
  CHECK(elements.size() == 7);
  CHECK(elements[6] == 3);
  elements.reset();
  ints.reset();
  CHECK(ints.pin().size() == 0);
}

TEST_CASE("defragmentation: passes, steps, plans, and who may not")
{
  std::vector<handle<pair>> all;
  for (int i = 0; i < 8000; i++) all.push_back(make_handle<pair>(i, "a text that is on the heap"));
  thin_out(all);
  CHECK(fragmentation().external > 0.5);
  custom_alloc::defrag_report plan, step;
  CHECK(plan_defragmentation(plan) == MEND_OK);
  CHECK(plan.objects_moved > 0);
  {
    scope open;
    CHECK(defragment() == MEND_BUSY);
    scope nested;
    CHECK(defragment(step) == MEND_BUSY);
  }
  defrag_budget budget;
  budget.objects = 10;
  CHECK(defragment_step(budget, step) == MEND_PARTIAL);
  CHECK(step.objects_moved > 0);
  CHECK(step.objects_moved <= 10);
  handle_heap heap;
  CHECK(defragment_step(heap, defrag_budget(), step) == MEND_OK);
  CHECK(defragment_step(heap, budget) == MEND_OK);
  CHECK(defragment_step(budget) == MEND_PARTIAL);
  while (defragment_step(defrag_budget(), step) != MEND_OK) continue;
  custom_alloc::defrag_report report = whole_pass();
  CHECK(report.bytes == sizeof(mend_defrag_report));
  fragmentation_info info;
  CHECK(fragmentation(info) == MEND_OK);
  CHECK(info.objects == all.size());
  CHECK(fragmentation(heap, info) == MEND_OK);
  CHECK(info.objects == 0);
  info.bytes = 0;
  CHECK(fragmentation(info) == MEND_INVALID);
  for (std::size_t i = 0; i < all.size(); i++) {
    scope open;
    REQUIRE(all[i]->number == static_cast<int>(8 * i));
    REQUIRE(all[i]->text == "a text that is on the heap");
  }
}

TEST_CASE("a thread in the background, one at a time")
{
  {
    background_defragmenter one;
    CHECK(one.status() == MEND_OK);
    {
      background_defragmenter two;
      CHECK(two.status() == MEND_BUSY);
    }
    CHECK(background_defragmenter().status() == MEND_BUSY);  // `two` has not ended `one`
  }
  defrag_options options;
  options.cpu_percent = 10;
  CHECK(background_defragmenter(options).status() == MEND_OK);
}
