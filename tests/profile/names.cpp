// SPDX-License-Identifier: MIT
//
// Allocations by functions whose names the linker knows in a form that is not for people: in a
// template, in a lambda, inlined, below functions of the C++ library that call each other. 20 MB
// each.
#include <memory>
#include <vector>

namespace shop
{

template <typename Item> struct basket {
  __attribute__((noinline)) void fill(int count)
  {
    for (int i = 0; i < count; i++) items[i] = new Item[100000];
  }
  Item *items[200];
};

}  // namespace shop

static shop::basket<char> basket;
static char *kept[200];

__attribute__((noinline)) static void fill_shelves()
{
  static auto &shelves = *new std::vector<std::vector<char>>(200);
  for (auto &shelf : shelves) shelf = std::vector<char>(100000);
}

int main()
{
  basket.fill(200);
  fill_shelves();
  auto take = [](int size) { return std::make_unique<char[]>(size).release(); };
  for (auto &block : kept) block = take(100000);
  return kept[0] == nullptr;
}
