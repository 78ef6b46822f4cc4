#include <signal.h>

#include <cstring>

#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

// The kernel's mask of 64 signals, signal n in bit n - 1, in wide register 0. Reading goes through
// Read: a signalfd_siginfo is 128 bytes that lib/sys/signals.ts decodes.
int32_t Signalfd(State& state, int32_t fd, int32_t flags) {
  const int32_t rc = Syscall(SYS_signalfd4, fd, &state.wide[0], sizeof(uint64_t), flags);
  return fd == -1 ? Keep(state, fd_table::Opened(rc)) : rc;
}

// The calling thread's mask. The old one comes back in wide register 0.
int32_t Sigprocmask(State& state, int32_t how) {
  sigset_t mask;
  sigset_t old;
  sigemptyset(&mask);
  sigemptyset(&old);
  memcpy(&mask, &state.wide[0], sizeof(uint64_t));
  // The C library's call rather than the kernel's: it keeps its own signals (cancellation, setuid)
  // out of the mask.
  int error = pthread_sigmask(how, &mask, &old);
  if (error != 0) return -error;
  memcpy(&state.wide[0], &old, sizeof(uint64_t));
  return 0;
}

// Whether some code of this process catches the signal with a handler.
int32_t SignalCaught(State&, int32_t signal) {
  struct sigaction action;
  if (sigaction(signal, nullptr, &action) < 0) return -errno;
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

}  // namespace

const Export kSignalfdExports[] = {
    {"signalfd", Call<Signalfd>::ByArguments},
    {"sigprocmask", Call<Sigprocmask>::ByArguments},
    {"signal_caught", Call<SignalCaught>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
