#include <sys/ioctl.h>
#include <sys/wait.h>

#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

// Numbers and layouts that older headers lack; they are the same on every architecture we build.
constexpr long kPidfdSendSignal = 424;
constexpr long kPidfdOpen = 434;
constexpr int kPPidfd = 3;

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

int32_t PidfdOpen(State& state, int32_t pid, int32_t flags) {
  return Keep(state, fd_table::Opened(Syscall(kPidfdOpen, pid, flags)));
}

int32_t PidfdSendSignal(State&, int32_t pidfd, int32_t signal) {
  return Syscall(kPidfdSendSignal, pidfd, signal, nullptr, 0);
}

// How the process ended, without reaping it: 1 with the exit code in register 1 and the signal in
// register 2 (one of them -1), 0 if it runs, or if it isn't ours and the kernel is too old to tell.
int32_t PidfdInfo(State& state, int32_t pidfd) {
  siginfo_t info = {};
  const int32_t rc =
      Syscall(SYS_waitid, kPPidfd, pidfd, &info, WEXITED | WNOHANG | WNOWAIT, nullptr);
  if (rc == 0) {
    if (info.si_pid == 0) return 0;
    const bool exited = info.si_code == CLD_EXITED;
    state.registers[1] = exited ? info.si_status : -1;
    state.registers[2] = exited ? -1 : info.si_status;
    return 1;
  }
  if (rc != -ECHILD) return rc;
  PidfdInfo64 other = {};
  other.mask = kInfoExit;
  if (Syscall(SYS_ioctl, pidfd, kGetInfo, &other) < 0 || !(other.mask & kInfoExit)) return 0;
  const bool exited = WIFEXITED(other.exit_code);
  state.registers[1] = exited ? WEXITSTATUS(other.exit_code) : -1;
  state.registers[2] = exited ? -1 : WTERMSIG(other.exit_code);
  return 1;
}

}  // namespace

const Export kPidfdExports[] = {
    {"pidfd_open", Call<PidfdOpen>::ByArguments},
    {"pidfd_send_signal", Call<PidfdSendSignal>::ByArguments},
    {"pidfd_info", Call<PidfdInfo>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
