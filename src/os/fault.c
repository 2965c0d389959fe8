// SPDX-License-Identifier: MIT
#include "os/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "os/memory.h"

#define PREVIOUS_BYTES 4096
#define PAGE_FAULT_ON_X86 14

// The actions for SIGSEGV and SIGBUS that were there before.
static _Alignas(PREVIOUS_BYTES) union {
  struct sigaction actions[2];
  char page[PREVIOUS_BYTES];
} previous;

static struct sigaction *previous_action(int signal_number)
{
  return &previous.actions[signal_number == SIGBUS];
}

// The flags and the mask of the handler that was there hold for it still.
static bool watch_signal(int signal_number,
                         void (*handler)(int signal_number, siginfo_t *info, void *context))
{
  struct sigaction *before = previous_action(signal_number);
  if (sigaction(signal_number, NULL, before) != 0) return false;
  struct sigaction action = {.sa_sigaction = handler, .sa_mask = before->sa_mask};
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | (before->sa_flags & (SA_NODEFER | SA_RESTART));
  return sigaction(signal_number, &action, NULL) == 0;
}

INTERNAL bool os_fault_watch(void (*handler)(int signal_number, siginfo_t *info, void *context))
{
  int saved_errno = errno;
  bool is_done = watch_signal(SIGSEGV, handler) && watch_signal(SIGBUS, handler);
  if (os_kernel_page_bytes() == PREVIOUS_BYTES) {
    (void)mprotect(&previous, sizeof previous, PROT_READ);  // if it stays writable, so be it
  }
  errno = saved_errno;
  return is_done;
}

// ---------------------------------------------------------------------------------------------
// What processors tell.

#if defined(__x86_64__)

static void read_context(struct os_fault *fault, const ucontext_t *context)
{
  const greg_t *registers = context->uc_mcontext.gregs;
  fault->code = (uintptr_t)registers[REG_RIP];
  fault->frame = (uintptr_t)registers[REG_RBP];
  if (registers[REG_TRAPNO] != PAGE_FAULT_ON_X86) return;
  fault->access = (registers[REG_ERR] & 2) != 0 ? OS_ACCESS_WRITE : OS_ACCESS_READ;
}

#elif defined(__aarch64__)

#define SYNDROME_MAGIC UINT32_C(0x45535201)

// The kernel's record of the exception's syndrome, among others.
struct syndrome_record {
  uint32_t magic;
  uint32_t bytes;
  uint64_t syndrome;
};

static void read_access(struct os_fault *fault, const unsigned char *records, size_t bytes)
{
  struct syndrome_record record;
  for (size_t at = 0; at + sizeof record <= bytes; at += record.bytes) {
    memcpy(&record, records + at, sizeof record);
    if (record.magic == 0 || record.bytes < 8) return;
    if (record.magic != SYNDROME_MAGIC) continue;
    if (record.syndrome >> 27 != 0x24 >> 1) return;  // no abort of a data access
    fault->access = (record.syndrome >> 6 & 1) != 0 ? OS_ACCESS_WRITE : OS_ACCESS_READ;
    return;
  }
}

static void read_context(struct os_fault *fault, const ucontext_t *context)
{
  fault->code = (uintptr_t)context->uc_mcontext.pc;
  fault->frame = (uintptr_t)context->uc_mcontext.regs[29];
  read_access(fault, (const unsigned char *)context->uc_mcontext.__reserved,
              sizeof context->uc_mcontext.__reserved);
}

#elif defined(__riscv)

static void read_context(struct os_fault *fault, const ucontext_t *context)
{
  fault->code = (uintptr_t)context->uc_mcontext.__gregs[0];
  fault->frame = (uintptr_t)context->uc_mcontext.__gregs[8];
}

#else

static void read_context(struct os_fault *fault, const ucontext_t *context)
{
  (void)fault, (void)context;
}

#endif

// Whether the kernel found it at an access, and nobody has sent it.
static bool has_address(const siginfo_t *info)
{
  return info->si_code > 0 && info->si_code != SI_KERNEL;
}

INTERNAL struct os_fault os_fault_read(const siginfo_t *info, const void *context)
{
  struct os_fault fault = {0, 0, 0, OS_ACCESS_UNKNOWN};
  if (has_address(info)) fault.address = (uintptr_t)info->si_addr;
  read_context(&fault, context);
  return fault;
}

// ---------------------------------------------------------------------------------------------
// What comes after us.

static void set_default(int signal_number)
{
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigaction(signal_number, &action, NULL);
}

// On return the instruction faults once more, now without a handler; a signal that somebody has
// sent is sent once more, and waits for the return.
static void let_it_end(int signal_number, const siginfo_t *info)
{
  set_default(signal_number);
  if (info->si_code <= 0) raise(signal_number);
}

INTERNAL void os_fault_pass_on(int signal_number, siginfo_t *info, void *context)
{
  const struct sigaction *before = previous_action(signal_number);
  if ((before->sa_flags & (int)SA_RESETHAND) != 0) set_default(signal_number);
  if ((before->sa_flags & SA_SIGINFO) != 0) {
    before->sa_sigaction(signal_number, info, context);
  } else if (before->sa_handler == SIG_IGN && info->si_code <= 0) {
    return;
  } else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN) {
    let_it_end(signal_number, info);
  } else {
    before->sa_handler(signal_number);
  }
}
