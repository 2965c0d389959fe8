// SPDX-License-Identifier: MIT
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "command.h"
#include "module.h"
#include "target.h"

enum { STATUS_CANNOT_RUN = 126, STATUS_NOT_FOUND = 127, STATUS_SIGNAL = 128 };

// ---------------------------------------------------------------------------------------------
// The library.

static bool is_readable(const char *path)
{
  return access(path, R_OK) == 0;
}

// The folder of this command's own file, with the slash; false if it can't be told.
static bool find_own_folder(char folder[static LAUNCH_PATH_MOST])
{
  ssize_t length = readlink("/proc/self/exe", folder, LAUNCH_PATH_MOST - 1);
  if (length <= 0 || length >= LAUNCH_PATH_MOST - 1) return false;
  folder[length] = '\0';
  char *slash = strrchr(folder, '/');
  if (slash == NULL) return false;
  slash[1] = '\0';
  return true;
}

bool launch_find_library(char path[static LAUNCH_PATH_MOST], const char *library)
{
  static const char *const folders[] = {"", "../" MEND_LIBRARY_FOLDER "/", "../lib/", "../lib64/"};
  const char *named = getenv("MEND_LIBRARY");
  if (named != NULL && *named != '\0') {
    if (realpath(named, path) != NULL && is_readable(path)) return true;
    complain("MEND_LIBRARY names %s, which can't be read: %s", named, strerror(errno));
    return false;
  }
  char own[LAUNCH_PATH_MOST];
  bool has_folder = find_own_folder(own);
  for (size_t i = 0; has_folder && i < sizeof folders / sizeof folders[0]; i++) {
    char candidate[2 * LAUNCH_PATH_MOST];
    snprintf(candidate, sizeof candidate, "%s%s%s", own, folders[i], library);
    if (realpath(candidate, path) != NULL && is_readable(path)) return true;
  }
  complain("there is no %s beside the command; MEND_LIBRARY may say where it is", library);
  return false;
}

// ---------------------------------------------------------------------------------------------
// The program.

// As execvp looks for it.
static bool find_program(char path[static LAUNCH_PATH_MOST], const char *name)
{
  if (strchr(name, '/') != NULL) {
    snprintf(path, LAUNCH_PATH_MOST, "%s", name);
    return access(path, F_OK) == 0;
  }
  const char *folders = getenv("PATH");
  if (folders == NULL) folders = "/bin:/usr/bin";
  while (true) {
    size_t length = strcspn(folders, ":");
    snprintf(path, LAUNCH_PATH_MOST, "%.*s%s%s", (int)length, folders, length > 0 ? "/" : "./",
             name);
    struct stat state;
    if (access(path, X_OK) == 0 && stat(path, &state) == 0 && S_ISREG(state.st_mode)) return true;
    if (folders[length] == '\0') return false;
    folders += length + 1;
  }
}

static bool has_interpreter(Elf *elf)
{
  size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return true;
  for (size_t i = 0; i < count; i++) {
    GElf_Phdr part;
    if (gelf_getphdr(elf, (int)i, &part) != NULL && part.p_type == PT_INTERP) return true;
  }
  return false;
}

// Whether the loader will ignore what is preloaded.
static bool is_privileged(const char *path, const struct stat *state)
{
  bool changes = ((state->st_mode & S_ISUID) != 0 && state->st_uid != geteuid()) ||
                 ((state->st_mode & S_ISGID) != 0 && state->st_gid != getegid());
  return changes || (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0);
}

// Whether mend has been linked into a program without a loader.
static bool has_mend(int file)
{
  const struct mapping nowhere = {0};
  uint64_t address;
  return module_find_symbol(file, "mend_root", &nowhere, &address);
}

static struct refusal judge_elf(const char *path, int file, Elf *elf, const struct stat *state)
{
  GElf_Ehdr head, own_head;
  int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  Elf *own_elf = elf_begin(own, ELF_C_READ_MMAP, NULL);
  bool is_foreign = gelf_getehdr(elf, &head) != NULL && gelf_getehdr(own_elf, &own_head) != NULL &&
                    head.e_machine != own_head.e_machine;
  elf_end(own_elf);
  if (own >= 0) close(own);
  if (is_foreign) {
    return (struct refusal){"foreign", "is for another machine: mend will not be in it"};
  }
  if (!has_interpreter(elf)) {
    if (has_mend(file)) return (struct refusal){NULL, NULL};
    return (struct refusal){"static", "is linked statically: mend can't be preloaded into it"};
  }
  if (is_privileged(path, state)) {
    return (struct refusal){
        "secure", "changes its user or group as it starts: mend will not be preloaded into it"};
  }
  return (struct refusal){NULL, NULL};
}

// Why mend will not be in the program, if that is certain.
static struct refusal judge_program(const char *path)
{
  struct refusal refusal = {NULL, NULL};
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat state;
  if (file < 0) return refusal;
  elf_version(EV_CURRENT);
  Elf *elf = fstat(file, &state) == 0 && S_ISREG(state.st_mode)
                 ? elf_begin(file, ELF_C_READ_MMAP, NULL)
                 : NULL;
  if (elf != NULL && elf_kind(elf) == ELF_K_ELF) refusal = judge_elf(path, file, elf, &state);
  elf_end(elf);
  close(file);
  return refusal;
}

// ---------------------------------------------------------------------------------------------
// Its run.

// Puts the preloaded library and the settings into this process's own environment.
static bool prepare(const struct launch *launch)
{
  char library[LAUNCH_PATH_MOST];
  if (!launch_find_library(library, launch->library)) return false;
  if (strpbrk(library, ": ") != NULL) {
    complain("%s can't be preloaded: its path has a blank or a colon", library);
    return false;
  }
  const char *before = getenv("LD_PRELOAD");
  bool has_more = before != NULL && *before != '\0';
  size_t room = strlen(library) + (has_more ? strlen(before) : 0) + 2;
  char *preload = malloc(room);
  if (preload == NULL) return false;
  snprintf(preload, room, "%s%s%s", library, has_more ? ":" : "", has_more ? before : "");
  bool is_set = setenv("LD_PRELOAD", preload, 1) == 0;
  free(preload);
  for (size_t i = 0; i < launch->setting_count && is_set; i++) {
    const struct launch_setting *setting = &launch->settings[i];
    is_set = setting->value != NULL ? setenv(setting->name, setting->value, 1) == 0
                                    : unsetenv(setting->name) == 0;
  }
  if (!is_set) complain("the environment can't be set: %s", strerror(errno));
  return is_set;
}

static volatile sig_atomic_t child;

// A signal from a terminal has reached the program already: it is of the same group.
static void pass_on(int signal, siginfo_t *info, void *context)
{
  (void)context;
  int error = errno;
  if (child > 0 && info->si_code <= 0) kill((pid_t)child, signal);
  errno = error;
}

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
enum { PASSED_ON = sizeof passed_on / sizeof passed_on[0] };

// Returns, after a complaint, what a shell would end with.
static int exec_program(const struct launch *launch, const char *path)
{
  if (!prepare(launch)) return STATUS_CANNOT_RUN;
  execv(path, launch->arguments);
  int error = errno;
  if (error == ENOEXEC) {  // a script without its first line
    execvp(launch->arguments[0], launch->arguments);
    error = errno;
  }
  complain("%s: %s", launch->arguments[0], strerror(error));
  return error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

static bool look_for_program(char path[static LAUNCH_PATH_MOST], const struct launch *launch)
{
  if (find_program(path, launch->arguments[0])) return true;
  complain("%s: there is no such program", launch->arguments[0]);
  return false;
}

int launch_exec(const struct launch *launch)
{
  char path[LAUNCH_PATH_MOST];
  if (!look_for_program(path, launch)) return STATUS_NOT_FOUND;
  struct refusal refusal = judge_program(path);
  if (refusal.reason != NULL) {
    complain("%s %s", path, refusal.reason);
    return STATUS_CANNOT_RUN;
  }
  return exec_program(launch, path);
}

static void run_child(const struct launch *launch, const char *path, const sigset_t *mask)
{
  sigprocmask(SIG_SETMASK, mask, NULL);
  _exit(exec_program(launch, path));
}

// Until the program has ended or so many milliseconds have passed.
static void await_either(int file, int milliseconds)
{
  struct pollfd end = {.fd = file, .events = POLLIN};
  (void)poll(&end, file >= 0 ? 1 : 0, milliseconds);
}

static pid_t await_end(struct launch *launch)
{
  pid_t ended = 0;
  int milliseconds = launch->watch_ms;
  int file = launch->watch != NULL ? (int)syscall(SYS_pidfd_open, launch->pid, 0) : -1;
  while (launch->watch != NULL && ended == 0) {
    await_either(file, milliseconds);
    ended = waitpid(launch->pid, &launch->status, WNOHANG);
    if (ended == 0) milliseconds = launch->watch(launch->watch_argument, launch->pid);
  }
  if (file >= 0) close(file);
  while (ended <= 0 && (ended = waitpid(launch->pid, &launch->status, 0)) < 0) {
    if (errno != EINTR) break;
  }
  return ended;
}

bool launch_run(struct launch *launch)
{
  char path[LAUNCH_PATH_MOST], library[LAUNCH_PATH_MOST];
  launch->status = STATUS_CANNOT_RUN << 8;
  if (!launch_find_library(library, launch->library)) return false;
  if (!look_for_program(path, launch)) {
    launch->status = STATUS_NOT_FOUND << 8;
    return false;
  }
  launch->refusal = judge_program(path);
  if (launch->refusal.reason != NULL) {
    if (!launch->tells_refusal) complain("%s %s", path, launch->refusal.reason);
    return false;
  }
  // Signals wait until it is known whom to pass them on to.
  sigset_t passed, mask;
  sigemptyset(&passed);
  for (size_t i = 0; i < PASSED_ON; i++) sigaddset(&passed, passed_on[i]);
  sigprocmask(SIG_BLOCK, &passed, &mask);
  struct sigaction before[PASSED_ON];
  struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
  fflush(NULL);
  launch->pid = fork();
  if (launch->pid == 0) run_child(launch, path, &mask);
  child = launch->pid;
  for (size_t i = 0; i < PASSED_ON; i++) {
    sigaction(passed_on[i], NULL, &before[i]);
    if (before[i].sa_handler != SIG_IGN) sigaction(passed_on[i], &action, NULL);
  }
  sigprocmask(SIG_SETMASK, &mask, NULL);
  pid_t ended = launch->pid > 0 ? await_end(launch) : -1;
  child = 0;
  for (size_t i = 0; i < PASSED_ON; i++) sigaction(passed_on[i], &before[i], NULL);
  // Who reads the report may have gone: that must not end this before it has tidied up.
  signal(SIGPIPE, SIG_IGN);
  if (ended > 0) return true;
  complain("%s: %s", launch->arguments[0], strerror(errno));
  return false;
}

int launch_end(const struct launch *launch, bool is_good)
{
  if (WIFEXITED(launch->status)) {
    int status = WEXITSTATUS(launch->status);
    return status == END_OK && !is_good ? END_BAD_INPUT : status;
  }
  int number = WTERMSIG(launch->status);
  fflush(NULL);
  // The program has left its core, if any: this process must not leave another.
  const struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, number);
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  raise(number);
  return STATUS_SIGNAL + number;
}
