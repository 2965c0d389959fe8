// SPDX-License-Identifier: MIT
//
// One misuse of a block by name, each through functions of its own, so that a report can be held
// against them: those that allocate, free and free again.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#define NOINLINE __attribute__((noinline))

// Not for the compiler to know what the pointers are, nor to leave calls out.
static void *volatile hidden;

template <class T> static T *seen(T *pointer)
{
  hidden = pointer;
  return static_cast<T *>(hidden);
}

static void *block;
static int global[64];
static std::size_t size = 100;

NOINLINE static void allocate_here()
{
  block = seen(std::malloc(size));
}

NOINLINE static void new_here()
{
  block = seen(::operator new(size));
}

NOINLINE static void new_array_here()
{
  block = seen(::operator new[](size));
}

NOINLINE static void new_aligned_here()
{
  block = seen(::operator new(size, std::align_val_t(64)));
}

NOINLINE static void free_here()
{
  std::free(seen(block));
}

NOINLINE static void free_again()
{
  std::free(seen(block));
}

NOINLINE static void delete_here()
{
  ::operator delete(seen(block));
}

NOINLINE static void delete_array_here()
{
  ::operator delete[](seen(block));
}

NOINLINE static void delete_aligned_here()
{
  ::operator delete(seen(block), std::align_val_t(64));
}

NOINLINE static void resize_here()
{
  block = seen(std::realloc(seen(block), 3 * size));
}

static void double_free()
{
  allocate_here();
  free_here();
  free_again();
}

static void double_delete()
{
  new_here();
  delete_here();
  delete_here();
}

static void double_free_by_threads()
{
  std::thread(allocate_here).join();
  std::thread(free_here).join();
  std::thread(free_again).join();
}

static void double_free_later()
{
  allocate_here();
  void *ours = block;
  free_here();
  for (int i = 0; i < 1000; i++) std::free(seen(std::malloc(size / 2)));
  block = ours;
  free_again();
}

static void resize_freed()
{
  allocate_here();
  free_here();
  resize_here();
}

static void free_stack()
{
  int local[64];
  block = local;
  free_here();
}

static void free_global()
{
  block = global;
  free_here();
}

static void free_inside()
{
  allocate_here();
  block = static_cast<char *>(block) + 16;
  free_here();
}

static void new_then_free()
{
  new_here();
  free_here();
}

static void new_then_delete_array()
{
  new_here();
  delete_array_here();
}

static void new_array_then_delete()
{
  new_array_here();
  delete_here();
}

static void new_array_then_free()
{
  new_array_here();
  free_here();
}

static void allocate_then_delete()
{
  allocate_here();
  delete_here();
}

static void allocate_then_delete_array()
{
  allocate_here();
  delete_array_here();
}

// All that belongs together.
static void none()
{
  for (int i = 0; i < 100; i++) {
    allocate_here();
    resize_here();
    free_here();
    new_here();
    delete_here();
    new_array_here();
    delete_array_here();
    new_aligned_here();
    delete_aligned_here();
    new_aligned_here();
    ::operator delete(seen(block), size, std::align_val_t(64));
    new_here();
    ::operator delete(seen(block), size);
    std::free(seen(std::calloc(3, size)));
    std::free(seen(std::aligned_alloc(64, 64)));
    std::free(seen(strdup("text")));
  }
  block = nullptr;
  hidden = nullptr;
  std::puts("done");
}

static const struct {
  const char *name;
  void (*run)();
} misuses[] = {
    {"double_free", double_free},
    {"double_delete", double_delete},
    {"double_free_by_threads", double_free_by_threads},
    {"double_free_later", double_free_later},
    {"resize_freed", resize_freed},
    {"free_stack", free_stack},
    {"free_global", free_global},
    {"free_inside", free_inside},
    {"new_then_free", new_then_free},
    {"new_then_delete_array", new_then_delete_array},
    {"new_array_then_delete", new_array_then_delete},
    {"new_array_then_free", new_array_then_free},
    {"allocate_then_delete", allocate_then_delete},
    {"allocate_then_delete_array", allocate_then_delete_array},
    {"none", none},
};

int main(int count, char **arguments)
{
  if (count > 2) size = std::strtoul(arguments[2], nullptr, 10);
  for (auto &misuse : misuses) {
    if (count > 1 && std::strcmp(misuse.name, arguments[1]) == 0) {
      misuse.run();
      return 0;
    }
  }
  return 2;
}
