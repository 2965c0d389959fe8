// SPDX-License-Identifier: MIT
//
// Owning pointers, by the front header alone.
#include "allocator.hpp"
#include <string>

struct MyClass {
  MyClass(int number, std::string text) : number(number), text(text)
  {
  }
  int number;
  std::string text;
};
struct Data {
  double values[100];
};

int main()
{
  int arg1 = 1;
  std::string arg2 = "two";
  auto obj = custom_alloc::make_unique<MyClass>(arg1, arg2);
  auto shared = custom_alloc::make_shared<Data>();
  return obj->number == 1 && obj->text == "two" && shared->values[99] == 0 ? 0 : 1;
}
