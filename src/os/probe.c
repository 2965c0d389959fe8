// SPDX-License-Identifier: MIT
#include "os/probe.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/annotate.h"
#include "base/bits.h"

// Every os page is a multiple of the smallest, and is readable as a whole.
#define SMALLEST_PAGE ((size_t)4096)
#define KERNEL_SIGNAL_SET_BYTES 8

#if defined(MEND_ANNOTATE_VALGRIND)

// Valgrind answers the other call itself, and knows nothing of guards.
static bool kernel_can_read(const void *word)
{
  uint64_t copy;
  struct iovec to = {&copy, sizeof copy};
  struct iovec from = {(void *)(uintptr_t)word, sizeof copy};
  if (annotate_is_unaddressable(word)) return false;
  return syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0) == sizeof copy;
}

#else

// rt_sigprocmask reads the set before it finds that the first argument asks for nothing that
// exists. So the call always fails, and changes nothing; filters of system calls let it pass.
static bool kernel_can_read(const void *word)
{
  long result = syscall(SYS_rt_sigprocmask, ~0L, word, NULL, KERNEL_SIGNAL_SET_BYTES);
  return result == 0 || errno != EFAULT;
}

#endif

INTERNAL bool os_probe_is_readable(struct os_probe *probe, uintptr_t address)
{
  uintptr_t page = bits_align_down(address, SMALLEST_PAGE);
  if (probe->page == (page | 1)) return probe->is_readable;
  const void *word = (const void *)bits_align_down(address, sizeof(uintptr_t));
  int saved_errno = errno;
  probe->page = page | 1;
  probe->is_readable = page != 0 && kernel_can_read(word);
  errno = saved_errno;
  return probe->is_readable;
}

ANNOTATE_MAY_TOUCH_FREED
INTERNAL bool os_probe_byte(struct os_probe *probe, uintptr_t address, uint8_t *byte)
{
  if (!os_probe_is_readable(probe, address)) return false;
  annotate_race_begin();
  *byte = *(const volatile uint8_t *)address;
  annotate_race_end();
  annotate_touch_begin(byte, sizeof *byte);
  return true;
}

ANNOTATE_MAY_TOUCH_FREED
INTERNAL bool os_probe_word(struct os_probe *probe, uintptr_t address, uintptr_t *word)
{
  if (!os_probe_is_readable(probe, address)) return false;
  annotate_race_begin();
  *word = *(const volatile uintptr_t *)address;
  annotate_race_end();
  annotate_touch_begin(word, sizeof *word);
  return true;
}

ANNOTATE_MAY_TOUCH_FREED
INTERNAL bool os_probe_bytes(struct os_probe *probe, uintptr_t address, size_t count,
                             uint64_t *value)
{
  if (!os_probe_is_readable(probe, address)) return false;
  if (!os_probe_is_readable(probe, address + count - 1)) return false;
  uint64_t sum = 0;
  annotate_race_begin();
  for (size_t i = count; i-- > 0;) sum = sum << 8 | ((const volatile uint8_t *)address)[i];
  annotate_race_end();
  annotate_touch_begin(&sum, sizeof sum);
  *value = sum;
  return true;
}
