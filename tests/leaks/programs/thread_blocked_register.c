// clean
// SPDX-License-Identifier: MIT
//
// A thread that waits in the kernel has the only address in a register.
// needs: x86_64 aarch64
// memcheck: not judged: it reads no registers of threads that wait in a system call
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plant.h"

static volatile int is_ready;
static uintptr_t hidden;

static void allocate(void)
{
  hidden = plant_hide(malloc(100));
}

static void wait_for_ever(uintptr_t complement)
{
#if defined __x86_64__
  register uintptr_t kept __asm__("r12") = ~complement;
  __asm__ volatile("movl $1, %0\n 1: mov %2, %%eax\n syscall\n jmp 1b"
                   : "=m"(is_ready)
                   : "r"(kept), "i"(SYS_pause)
                   : "rax", "rcx", "r11", "memory");
#elif defined __aarch64__
  register uintptr_t kept __asm__("x20") = ~complement;
  __asm__ volatile("mov w8, 1\n str w8, %0\n 1: mov x8, %2\n mov x0, 0\n mov x1, 0\n mov x2, 0\n"
                   " mov x3, 0\n mov x4, 0\n svc 0\n b 1b"
                   : "=m"(is_ready)
                   : "r"(kept), "i"(SYS_ppoll)
                   : "x0", "x1", "x2", "x3", "x4", "x8", "memory");
#endif
}

static void *work(void *argument)
{
  plant(allocate);
  wait_for_ever(hidden);
  return argument;
}

int main(void)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0) abort();
  while (is_ready == 0) usleep(1000);
  return 0;
}
