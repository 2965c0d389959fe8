// SPDX-License-Identifier: MIT
#include "os/sealed.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "os/memory.h"
#include "os/thread.h"

// The linker's names for the ends of the section, if there is one.
extern char __start_mend_sealed[] __attribute__((weak, visibility("hidden")));
extern char __stop_mend_sealed[] __attribute__((weak, visibility("hidden")));

static struct os_lock sealed_lock;  // protects is_sealed, and is held while it is open
static bool is_sealed;

// Whole pages of the kernel's.
static bool protect(int protection)
{
  int saved_errno = errno;
  size_t page = os_kernel_page_bytes();
  uintptr_t start = bits_align_up((uintptr_t)__start_mend_sealed, page);
  uintptr_t end = bits_align_down((uintptr_t)__stop_mend_sealed, page);
  bool is_done = start < end && mprotect((void *)start, end - start, protection) == 0;
  errno = saved_errno;
  return is_done;
}

INTERNAL void os_seal(void)
{
  os_lock_acquire(&sealed_lock);
  is_sealed = protect(PROT_READ);
  os_lock_release(&sealed_lock);
}

INTERNAL bool os_sealed_open(void)
{
  if (os_lock_is_mine(&sealed_lock)) return false;
  os_lock_acquire(&sealed_lock);
  if (!is_sealed || protect(PROT_READ | PROT_WRITE)) return true;
  os_lock_release(&sealed_lock);
  return false;
}

INTERNAL void os_sealed_close(void)
{
  if (is_sealed) is_sealed = protect(PROT_READ);
  os_lock_release(&sealed_lock);
}

INTERNAL void os_sealed_after_fork(void)
{
  if (os_lock_take_from_strangers(&sealed_lock) && is_sealed) is_sealed = protect(PROT_READ);
}
