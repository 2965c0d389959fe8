// SPDX-License-Identifier: MIT
//
// All twenty forms of operator new and delete: each gives one of mend's blocks; when memory runs
// out the new-handler is called until it gives up, std::bad_alloc is thrown and can be caught, and
// the nothrow forms return null, even if the handler throws. Run by operators.sh.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

// Weak: a program that is only preloaded is built without it.
extern "C" __attribute__((weak)) bool mend_owns(const void *pointer) noexcept;

static void check(bool holds, int line)
{
  if (holds) return;
  std::fprintf(stderr, "operators.cc:%d: does not hold\n", line);
  std::abort();
}
#define CHECK(condition) check((condition), __LINE__)

static void *owned(void *block, std::size_t alignment)
{
  CHECK(block != nullptr && mend_owns(block));
  CHECK(reinterpret_cast<std::uintptr_t>(block) % alignment == 0);
  return block;
}

constexpr std::align_val_t wide{256};

static void call_each_form()
{
  operator delete(owned(operator new(100), 16));
  operator delete[](owned(operator new[](100), 16));
  operator delete (owned(operator new(100), 16), std::size_t{100});
  operator delete[](owned(operator new[](100), 16), std::size_t{100});
  operator delete(owned(operator new(100, std::nothrow), 16), std::nothrow);
  operator delete[](owned(operator new[](100, std::nothrow), 16), std::nothrow);
  operator delete(owned(operator new(100, wide), 256), wide);
  operator delete[](owned(operator new[](100, wide), 256), wide);
  operator delete (owned(operator new(100, wide), 256), std::size_t{100}, wide);
  operator delete[](owned(operator new[](100, wide), 256), std::size_t{100}, wide);
  operator delete(owned(operator new(100, wide, std::nothrow), 256), wide, std::nothrow);
  operator delete[](owned(operator new[](100, wide, std::nothrow), 256), wide, std::nothrow);
  void *empty = owned(operator new(0), 16);
  void *other = owned(operator new(0), 16);
  CHECK(empty != other);
  operator delete(empty);
  operator delete(other);
  operator delete(nullptr);
}

static volatile std::size_t too_much = PTRDIFF_MAX;
static int handler_calls;

static void give_up_at_the_third_call()
{
  handler_calls++;
  if (handler_calls == 3) std::set_new_handler(nullptr);
}

template <typename function> static bool throws_bad_alloc(function allocate)
{
  try {
    operator delete(allocate());
  } catch (const std::bad_alloc &) {
    return true;
  }
  return false;
}

template <typename function> static void expect_handler_then(function fails)
{
  handler_calls = 0;
  std::set_new_handler(give_up_at_the_third_call);
  CHECK(fails());
  CHECK(handler_calls == 3);
  CHECK(std::get_new_handler() == nullptr);
  CHECK(fails());  // without a handler at once
  CHECK(handler_calls == 3);
}

static void run_out_of_memory()
{
  expect_handler_then([] { return throws_bad_alloc([] { return operator new(too_much); }); });
  expect_handler_then([] { return throws_bad_alloc([] { return operator new[](too_much); }); });
  expect_handler_then([] { return throws_bad_alloc([] { return operator new(too_much, wide); }); });
  expect_handler_then(
      [] { return throws_bad_alloc([] { return operator new[](too_much, wide); }); });
  expect_handler_then([] { return operator new(too_much, std::nothrow) == nullptr; });
  expect_handler_then([] { return operator new[](too_much, std::nothrow) == nullptr; });
  expect_handler_then([] { return operator new(too_much, wide, std::nothrow) == nullptr; });
  expect_handler_then([] { return operator new[](too_much, wide, std::nothrow) == nullptr; });
}

struct own_exception {
};

static void the_handler_may_throw()
{
  std::set_new_handler([] { throw own_exception{}; });
  bool caught = false;
  try {
    operator delete(operator new(too_much));
  } catch (const own_exception &) {
    caught = true;
  }
  CHECK(caught);
  std::set_new_handler(nullptr);
}

static int locals_destroyed;

struct local {
  ~local()
  {
    locals_destroyed++;
  }
};

static void throw_a_text()
{
  local here;
  throw std::string("more text than fits into the object itself");
}

// Its own nothrow new must catch first, then the outer one.
static void throw_below_a_handler()
{
  std::set_new_handler(throw_a_text);
  CHECK(operator new(too_much, std::nothrow) == nullptr);
  throw own_exception{};
}

static void what_the_handler_throws_ends_at_the_nothrow_forms()
{
  std::set_new_handler(throw_a_text);
  locals_destroyed = 0;
  CHECK(operator new(too_much, std::nothrow) == nullptr);
  CHECK(operator new[](too_much, std::nothrow) == nullptr);
  CHECK(operator new(too_much, wide, std::nothrow) == nullptr);
  CHECK(operator new[](too_much, wide, std::nothrow) == nullptr);
  CHECK(locals_destroyed == 4);
  std::set_new_handler(throw_below_a_handler);
  CHECK(operator new(too_much, std::nothrow) == nullptr);
  CHECK(locals_destroyed == 5);
  CHECK(std::uncaught_exceptions() == 0 && !std::current_exception());
  std::set_new_handler(nullptr);
}

struct alignas(128) wide_object {
  char bytes[128];
};

static void ordinary_code()
{
  std::vector<std::string> words;
  for (int i = 0; i < 10000; i++) words.push_back("word number " + std::to_string(i));
  CHECK(words[9999] == "word number 9999");
  std::unique_ptr<wide_object[]> objects(new wide_object[10]);
  owned(objects.get(), 128);
  auto shared = std::make_shared<std::vector<int>>(1000, 7);
  std::thread([shared] { CHECK(shared->at(999) == 7); }).join();
}

int main()
{
  call_each_form();
  run_out_of_memory();
  the_handler_may_throw();
  what_the_handler_throws_ends_at_the_nothrow_forms();
  ordinary_code();
  std::puts("every operator is mend's");
}
