// SPDX-License-Identifier: MIT
//
// Loses blocks that others have allocated: the C library, for its caller or below a callback, and
// the C++ library; and one that is called on an odd stack. (Compiled without frame pointers, and so
// are those; run knows the lines.)
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

// Calls malloc with a stack pointer that is 8 off, as code does that was written by hand.
extern "C" void *odd_allocate();
__asm__(".pushsection .text\nodd_allocate:\n.cfi_startproc\n"
        "mov $60, %edi\nsub $16, %rsp\n.cfi_def_cfa_offset 24\ncall malloc@plt\n"
        "add $16, %rsp\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc\n.popsection");

namespace
{

void *volatile sink;

void lose(void *block)
{
  sink = block;
  sink = nullptr;
}

[[gnu::noinline]] void by_strdup()
{
  lose(strdup("a text"));  // line strdup
}

[[gnu::noinline]] void by_asprintf(int number)
{
  char *text = nullptr;
  if (asprintf(&text, "%d", number) < 0) abort();  // line asprintf
  lose(text);
}

[[gnu::noinline]] void by_string(std::size_t length)
{
  alignas(std::string) static unsigned char room[sizeof(std::string)];
  std::string *text = new (room) std::string(length, 'x');  // line string
  sink = text;
  std::memset(room, 0, sizeof room);
}

int compare(const void *, const void *)
{
  lose(strdup("another text"));  // line compare
  return 0;
}

[[gnu::noinline]] void by_callback()
{
  int items[2] = {1, 2};
  qsort(items, 2, sizeof items[0], compare);  // line callback
}

[[gnu::noinline]] void by_odd_call()
{
  lose(odd_allocate());  // line odd
}

void wipe()
{
  volatile char room[8192];
  for (volatile char &c : room) c = 0;
}

}  // namespace

int main(int argc, char **)
{
  by_strdup();
  by_asprintf(argc);
  by_string(static_cast<std::size_t>(argc) * 100);
  by_callback();
  by_odd_call();
  wipe();
  return 0;
}
