// epoll: create, control, wait, busy polling.

#include <sys/epoll.h>
#include <time.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include "call.h"
#include "epoll_params.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

constexpr int64_t kNsPerMs = 1000000;
constexpr int64_t kNsPerSecond = 1000000000;
constexpr size_t kTripleBytes = 3 * sizeof(uint32_t);
// The kernel's own struct is the triple that JavaScript sees on x86-64, where it is packed.
constexpr bool kIsTriple = sizeof(epoll_event) == kTripleBytes;

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

// The processor time of this thread, as the low word of nanoseconds: good for differences of up to
// two seconds.
int32_t CpuClock(State&) {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<int32_t>(used.tv_sec * kNsPerSecond + used.tv_nsec);
}

struct Room {
  epoll_event* events;
  int capacity;
};

// Where the kernel may write its events, and how many fit. False when there is no memory.
bool MakeRoom(State& state, Room* room) {
  size_t count = state.events.length / kTripleBytes;
  if (count > INT_MAX / sizeof(epoll_event)) count = INT_MAX / sizeof(epoll_event);
  room->capacity = static_cast<int>(count);
  room->events = reinterpret_cast<epoll_event*>(state.events.data);
  if constexpr (kIsTriple) return true;
  const size_t bytes = count * sizeof(epoll_event);
  if (state.unpacked.length < bytes) {
    void* grown = realloc(state.unpacked.data, bytes);
    if (grown == nullptr) return false;
    state.unpacked = {static_cast<uint8_t*>(grown), bytes};
  }
  room->events = reinterpret_cast<epoll_event*>(state.unpacked.data);
  return true;
}

void Pack(State& state, const epoll_event* events, int32_t count) {
  if constexpr (kIsTriple) return;
  for (int32_t i = 0; i < count; i++) {
    uint8_t* triple = state.events.data + i * kTripleBytes;
    memcpy(triple, &events[i].events, sizeof(uint32_t));
    memcpy(triple + sizeof(uint32_t), &events[i].data, sizeof(uint64_t));
  }
}

int32_t EpollCreate1(State& state, int32_t flags) {
  return Keep(state, fd_table::Opened(Syscall(SYS_epoll_create1, flags)));
}

int32_t EpollCtl(State&, int32_t epfd, int32_t op, int32_t fd, int32_t events, int32_t data_low,
                 int32_t data_high) {
  epoll_event event;
  event.events = static_cast<uint32_t>(events);
  event.data.u64 = static_cast<uint32_t>(data_low) |
                   static_cast<uint64_t>(static_cast<uint32_t>(data_high)) << 32;
  return Syscall(SYS_epoll_ctl, epfd, op, fd, &event);
}

// A whole number of milliseconds and no signal mask: what nearly every wait is. A signal that is
// handled meanwhile doesn't end it, and doesn't lengthen it either. epoll_wait is a little cheaper
// than epoll_pwait without a mask, but newer architectures have only the latter.
int32_t EpollWait(State& state, int32_t epfd, int32_t timeout_ms) {
  Room room;
  if (!MakeRoom(state, &room)) return -ENOMEM;
  const int64_t deadline = timeout_ms > 0 ? MonotonicNs() + timeout_ms * kNsPerMs : 0;
  for (;;) {
#ifdef SYS_epoll_wait
    const int32_t rc = Syscall(SYS_epoll_wait, epfd, room.events, room.capacity, timeout_ms);
#else
    const int32_t rc =
        Syscall(SYS_epoll_pwait, epfd, room.events, room.capacity, timeout_ms, nullptr, 0);
#endif
    Pack(state, room.events, rc);
    if (rc != -EINTR) return rc;
    if (timeout_ms > 0) {
      int64_t left = deadline - MonotonicNs();
      timeout_ms = left > 0 ? static_cast<int32_t>((left + kNsPerMs - 1) / kNsPerMs) : 0;
    }
  }
}

// Any timeout (a negative number of seconds blocks) and an optional mask (wide register 0) that
// holds while it waits. With a mask, a signal ends the wait: that is what masks are for.
int32_t EpollPwait(State& state, int32_t epfd, int32_t seconds, int32_t nanoseconds,
                   int32_t has_mask, int32_t has_pwait2) {
  Room room;
  if (!MakeRoom(state, &room)) return -ENOMEM;
  const uint64_t mask = state.wide[0];  // copied: nothing can change it once the check is made
  const uint64_t* sigmask = has_mask ? &mask : nullptr;
  const bool blocks = seconds < 0;
  int64_t left = seconds * kNsPerSecond + nanoseconds;
  const int64_t deadline = blocks ? 0 : MonotonicNs() + left;
  for (;;) {
    int32_t rc;
    bool is_cut = false;
    if (has_pwait2) {
      // The kernel's own 64-bit timespec, whatever the C library thinks time_t is.
      const int64_t timeout[2] = {left / kNsPerSecond, left % kNsPerSecond};
      rc = Syscall(441 /* SYS_epoll_pwait2, missing from older headers */, epfd, room.events,
                   room.capacity, blocks ? nullptr : timeout, sigmask, sizeof mask);
    } else {
      // 31 bits of milliseconds are 24 days: a longer wait takes several.
      int64_t ms = blocks ? -1 : (left + kNsPerMs - 1) / kNsPerMs;
      is_cut = ms > INT_MAX;
      if (is_cut) ms = INT_MAX;
      rc = Syscall(SYS_epoll_pwait, epfd, room.events, room.capacity, ms, sigmask, sizeof mask);
    }
    Pack(state, room.events, rc);
    const bool goes_on = rc == -EINTR ? !has_mask : rc == 0 && is_cut;
    if (!goes_on) return rc;
    if (!blocks) {
      left = deadline - MonotonicNs();
      if (left < 0) left = 0;
    }
  }
}

int32_t EpollGetParams(State& state, int32_t epfd) {
  EpollParams params = {};
  const int32_t rc = GetEpollParams(epfd, &params);
  if (rc < 0) return rc;
  state.registers[1] = static_cast<int32_t>(params.busy_poll_usecs);
  state.registers[2] = params.busy_poll_budget;
  state.registers[3] = params.prefer_busy_poll;
  return 0;
}

int32_t EpollSetParams(State&, int32_t epfd, int32_t usecs, int32_t budget, int32_t prefer) {
  EpollParams params = {static_cast<uint32_t>(usecs), static_cast<uint16_t>(budget),
                        static_cast<uint8_t>(prefer), 0};
  return SetEpollParams(epfd, params);
}

}  // namespace

const Export kEpollExports[] = {
    {"epoll_ctl", Call<EpollCtl>::ByRegisters},
    {"epoll_wait", Call<EpollWait>::ByRegisters},
    {"epoll_pwait", Call<EpollPwait>::ByRegisters},
    {"epoll_create1", Call<EpollCreate1>::ByArguments},
    {"cpu_clock", Call<CpuClock>::ByArguments},
    {"epoll_get_params", Call<EpollGetParams>::ByArguments},
    {"epoll_set_params", Call<EpollSetParams>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
