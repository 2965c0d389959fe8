// SPDX-License-Identifier: MIT
// standards: 11 14 17 20
//
// Objects and containers in locked memory: what they are made of and given back to, access by
// scopes, and what is thrown. Accesses that must fault are made in a child.
#include "support.hpp"

#include <cerrno>
#include <csignal>
#include <new>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <system_error>
#include <type_traits>
#include <unistd.h>
#include <vector>

#include "secure_allocator.hpp"

namespace secure = custom_alloc::secure;

namespace
{

constexpr unsigned may_swap = MEND_SECURE_MAY_SWAP;

int destroyed = 0;

struct key {
  explicit key(int value)
  {
    for (unsigned char &byte : bytes) byte = static_cast<unsigned char>(value);
    if (value == 0) throw std::runtime_error("no key");
  }
  ~key()
  {
    ++destroyed;
  }
  unsigned char bytes[32];
};

// How a child ends that does this: 0, or the number of the signal.
template <class Body> int end_of(Body body)
{
  pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // doctest has a handler of its own
    std::signal(SIGBUS, SIG_DFL);
    rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

void expect_fault(volatile unsigned char *byte, bool writes)
{
  if (test_is_instrumented()) return;  // checkers report a fault in their own ways
  CHECK(end_of([=] { *byte = static_cast<unsigned char>(writes ? 1 : *byte); }) == SIGSEGV);
}

}  // namespace

TEST_CASE("an object lives in locked memory and is destroyed once")
{
  destroyed = 0;
  key *where = nullptr;
  {
    secure::locked_ptr<key> owner = secure::make_locked<key, may_swap>(7);
    where = owner.get();
    CHECK(mend_secure_owns(where));
    CHECK(mend_secure_size(where) == sizeof(key));
    CHECK((*owner).bytes[31] == 7);
    secure::locked_ptr<key> moved(std::move(owner));
    CHECK(!owner);
    CHECK(moved->bytes[0] == 7);
    secure::locked_ptr<key> other = secure::make_locked<key, may_swap>(8);
    other = std::move(moved);
    CHECK(destroyed == 1);
    CHECK(other.get() == where);
    other.swap(moved);
    CHECK(moved->bytes[0] == 7);
  }
  CHECK(destroyed == 2);
  CHECK(!mend_secure_owns(where));
}

TEST_CASE("access is what the innermost scope says, and afterwards what it was")
{
  auto owner = secure::make_locked<key, may_swap>(7);
  unsigned char *byte = owner->bytes;
  CHECK(owner.allowed() == secure::access::read_write);
  owner.allow(secure::access::none);
  expect_fault(byte, false);
  {
    secure::access_scope<key> reading(owner, secure::access::read_only);
    CHECK(byte[0] == 7);
    expect_fault(byte, true);
    {
      secure::access_scope<key> writing(owner, secure::access::read_write);
      byte[0] = 8;
    }
    CHECK(owner.allowed() == secure::access::read_only);
    CHECK(byte[0] == 8);
    expect_fault(byte, true);
  }
  CHECK(owner.allowed() == secure::access::none);
  expect_fault(byte, false);
  destroyed = 0;
  secure::locked_ptr<key> moved(std::move(owner));
  CHECK(moved.allowed() == secure::access::none);
  moved.reset();
  CHECK(destroyed == 1);
}

TEST_CASE("access that cannot be changed is an error, and nothing changes")
{
  auto shared = secure::make_locked<key, may_swap | MEND_SECURE_SHARE_PAGES>(7);
  CHECK_THROWS_AS(shared.allow(secure::access::none), std::system_error);
  CHECK(shared.allowed() == secure::access::read_write);
  secure::locked_ptr<key> none;
  CHECK_THROWS_AS(none.allow(secure::access::read_only), std::system_error);
}

TEST_CASE("a constructor that throws leaves nothing")
{
  destroyed = 0;
  for (int i = 0; i < 100; ++i)
    CHECK_THROWS_AS((void)(secure::make_locked<key, may_swap>(0)), std::runtime_error);
  CHECK(destroyed == 0);
}

TEST_CASE("the child of a fork need not have what its parent owns")
{
  if (test_is_instrumented()) return;
  auto owner = secure::make_locked<key, may_swap | MEND_SECURE_OMIT_ON_FORK>(7);
  int end = end_of([&] {
    destroyed = 0;
    owner.reset();
    _exit(destroyed);
  });
  CHECK(end == 0);
  CHECK(owner->bytes[0] == 7);
}

TEST_CASE("a vector grows in locked memory, and its blocks are exact")
{
  secure::locked_vector<unsigned char, may_swap> bytes;
  std::vector<unsigned char *> places;
  for (unsigned i = 0; i < 10000; ++i) {
    bytes.push_back(static_cast<unsigned char>(i));
    if (places.empty() || places.back() != bytes.data()) places.push_back(bytes.data());
  }
  CHECK(bytes[9999] == static_cast<unsigned char>(9999));
  CHECK(mend_secure_owns(bytes.data()));
  CHECK(mend_secure_size(bytes.data()) == bytes.capacity());
  places.pop_back();
  for (unsigned char *place : places) CHECK(!mend_secure_owns(place));

  secure::locked_vector<unsigned char, may_swap> moved(std::move(bytes));
  CHECK(moved.size() == 10000);
  constexpr secure::locked_allocator<int> ints;
  constexpr secure::locked_allocator<char> chars(ints);
  static_assert(ints == chars && !(ints != chars), "");
}

TEST_CASE("what the system refuses is told by its code")
{
  using wrong = secure::locked_allocator<char, 16>;
  try {
    (void)wrong().allocate(1);
    CHECK(false);
  } catch (const std::system_error &error) {
    CHECK(error.code().value() == EINVAL);
  }
  using allocator = secure::locked_allocator<long, may_swap>;
  CHECK_THROWS_AS((void)allocator().allocate(static_cast<std::size_t>(-1) / 2),
                  std::bad_array_new_length);
  CHECK_THROWS_AS((void)allocator().allocate(static_cast<std::size_t>(-1) / 64), std::bad_alloc);
  if (test_is_instrumented()) return;
  int end = end_of([] {
    rlimit none = {0, 0};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0)) _exit(1);
    try {
      auto owner = secure::make_locked<key>(7);
      _exit(2);
    } catch (const std::system_error &error) {
      _exit(error.code().value() == EPERM ? 0 : 3);
    }
  });
  CHECK(end == 0);
}
