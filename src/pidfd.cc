#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "fd_table.h"
#include "syscalls.h"

namespace genpoll {

namespace {

// Numbers and layouts that older headers lack; they are the same on every architecture we build.
constexpr long kPidfdSendSignal = 424;
constexpr long kPidfdOpen = 434;
constexpr idtype_t kPPidfd = static_cast<idtype_t>(3);

// PIDFD_GET_INFO as of Linux 6.13; it reports exits since 6.15.
struct PidfdInfo64 {
  uint64_t mask;
  uint64_t cgroupid;
  uint32_t ids[11];
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo64) == 64);
constexpr uint64_t kInfoExit = 1 << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo64);

}  // namespace

int32_t PidfdOpen(State&, int32_t pid, int32_t flags) {
  return fd_table::Opened(syscall(kPidfdOpen, pid, flags));
}

int32_t PidfdSendSignal(State&, int32_t pidfd, int32_t signal) {
  return ResultOf(syscall(kPidfdSendSignal, pidfd, signal, nullptr, 0));
}

// How the process ended, without reaping it: 1 with the exit code in register 1 and the signal in
// register 2 (one of them -1), 0 if it runs, or if it isn't ours and the kernel is too old to tell.
int32_t PidfdInfo(State& state, int32_t pidfd) {
  siginfo_t info = {};
  // Through syscall(): the fifth argument, which the C library hides, keeps the kernel from
  // touching anything else.
  long rc = syscall(SYS_waitid, kPPidfd, pidfd, &info, WEXITED | WNOHANG | WNOWAIT, nullptr);
  if (rc == 0) {
    if (info.si_pid == 0) return 0;
    const bool exited = info.si_code == CLD_EXITED;
    state.registers[1] = exited ? info.si_status : -1;
    state.registers[2] = exited ? -1 : info.si_status;
    return 1;
  }
  if (errno != ECHILD) return -errno;
  PidfdInfo64 other = {};
  other.mask = kInfoExit;
  if (ioctl(pidfd, kGetInfo, &other) < 0 || !(other.mask & kInfoExit)) return 0;
  const bool exited = WIFEXITED(other.exit_code);
  state.registers[1] = exited ? WEXITSTATUS(other.exit_code) : -1;
  state.registers[2] = exited ? -1 : WTERMSIG(other.exit_code);
  return 1;
}

}  // namespace genpoll
