// SPDX-License-Identifier: MIT
// standards: 11 20
// flags: -fno-exceptions -fno-rtti
//
// Handles in programs without exceptions and RTTI: all of it works; what would throw ends them.
#include "moving.hpp"

using namespace custom_alloc;

TEST_CASE("handles without exceptions")
{
  {
    handle_heap heap;
    std::vector<handle<tracked>> all;
    for (std::size_t i = 0; i < 2000; i++) all.push_back(make_handle_in<tracked>(heap, i));
    thin_out(all);
    relocatable_vector<tracked> some;
    for (std::size_t i = 0; i < 100; i++) some.emplace_back(i);
    some.insert(some.begin() + 50, tracked(7));
    some.erase(some.begin());
    shared_handle<tracked> shared = make_shared_handle<tracked>(9u);
    weak_handle<tracked> weak = shared;
    CHECK(whole_pass().objects_moved > 0);
    for (std::size_t i = 0; i < all.size(); i++) CHECK(all[i]->holds(8 * i));
    CHECK(some.at(49).holds(7));
    CHECK(some.size() == 100);
    CHECK(weak.lock()->holds(9));
    shared.reset();
    CHECK(weak.expired());
    pinned<tracked> pin = all[0].pin();
    CHECK(pin->holds(0));
    pin.reset();
    CHECK(mend_handle_is_null(allocate_handle(100, 48, std::nothrow)));
  }
  CHECK(tracked::live() == 0);
  CHECK(objects() == 0);
}
