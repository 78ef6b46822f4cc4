#include <sys/timerfd.h>

#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

constexpr int64_t kNsPerSecond = 1000000000;

timespec ToTimespec(uint64_t ns) {
  return {static_cast<time_t>(static_cast<int64_t>(ns) / kNsPerSecond),
          static_cast<long>(static_cast<int64_t>(ns) % kNsPerSecond)};
}

uint64_t ToNs(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec * kNsPerSecond + time.tv_nsec);
}

void Store(State& state, const itimerspec& setting) {
  state.wide[0] = ToNs(setting.it_value);
  state.wide[1] = ToNs(setting.it_interval);
}

int32_t TimerfdCreate(State& state, int32_t clockid, int32_t flags) {
  return Keep(state, fd_table::Opened(Syscall(SYS_timerfd_create, clockid, flags)));
}

// Value and interval in wide registers 0 and 1; the old ones come back there.
int32_t TimerfdSettime(State& state, int32_t fd, int32_t flags) {
  itimerspec setting = {ToTimespec(state.wide[1]), ToTimespec(state.wide[0])};
  itimerspec old = {};
  const int32_t rc = Syscall(SYS_timerfd_settime, fd, flags, &setting, &old);
  if (rc == 0) Store(state, old);
  return rc;
}

int32_t TimerfdGettime(State& state, int32_t fd) {
  itimerspec setting = {};
  const int32_t rc = Syscall(SYS_timerfd_gettime, fd, &setting);
  if (rc == 0) Store(state, setting);
  return rc;
}

}  // namespace

const Export kTimerfdExports[] = {
    {"timerfd_create", Call<TimerfdCreate>::ByArguments},
    {"timerfd_settime", Call<TimerfdSettime>::ByArguments},
    {"timerfd_gettime", Call<TimerfdGettime>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
