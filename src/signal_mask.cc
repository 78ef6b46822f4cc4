// Blocking a signal in every thread of the process.
//
// A signalfd hears a signal only while it is blocked, and a signal sent to the process goes to any
// thread that doesn't block it: V8's workers and libuv's pool included, where it would take its
// default action. A thread's mask can be changed by that thread alone, so each is sent a private
// real-time signal whose handler edits the mask that the thread goes back to.
//
// What /proc says of a thread's mask can't be trusted: a thread that forks, makes a thread, or
// waits in ppoll or epoll_pwait has another mask for the moment. The handler sees the real one.
// Where the moment's mask holds off the private signal as well, it is enough that it is pending:
// the kernel delivers what was sent to a thread before what was sent to the process.
//
// Masks belong to the process, and so do the counts of who wants what blocked: two workers with a
// SignalFd for one signal share one block, and the last to close undoes it.

#include "signal_mask.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

#include <atomic>
#include <cstring>
#include <new>

#include "call.h"
#include "syscall.h"
#include "tasks.h"

namespace genpoll {

namespace {

constexpr int64_t kPatienceNs = 2000000000;
constexpr timespec kPause = {0, 50000};

// What we did to a thread. `applied` and `kept` are the thread's own, once it has been asked.
struct Thread {
  std::atomic<pid_t> tid{0};
  uint64_t start = 0;
  std::atomic<uint64_t> applied{0};  // the signals that were blocked for us
  std::atomic<uint64_t> kept{0};     // those of them that it had blocked of its own accord
  std::atomic<bool> is_new{false};   // made since the request: what it blocks it has from its maker
  Thread* next = nullptr;
  bool is_alive = false;
};

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
uint32_t users[kSignals + 1];
int private_signal = 0;

// What every thread shall block. A handler that runs late still brings its thread to what holds
// then.
std::atomic<uint64_t> wanted{0};
// Only ever grows at its head, and nothing is freed, so that handlers can walk it.
std::atomic<Thread*> threads{nullptr};

uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

sigset_t ToSet(uint64_t mask) {
  sigset_t set;
  sigemptyset(&set);
  memcpy(&set, &mask, sizeof mask);
  return set;
}

Thread* Find(pid_t tid) {
  for (Thread* thread = threads; thread != nullptr; thread = thread->next) {
    if (thread->tid == tid) return thread;
  }
  return nullptr;
}

// The mask that a thread with this mask shall go on with.
uint64_t Adjusted(Thread& thread, uint64_t mask) {
  const uint64_t target = wanted;
  const uint64_t added = target & ~thread.applied;
  const uint64_t dropped = thread.applied & ~target;
  if (!thread.is_new) thread.kept = thread.kept | (mask & added);
  mask = (mask | added) & ~(dropped & ~thread.kept);
  thread.kept = thread.kept & ~dropped;
  thread.applied = target;
  return mask;
}

void AdjustThisThread(int, siginfo_t*, void* context) {
  Thread* thread = Find(Syscall(SYS_gettid));
  if (thread == nullptr) return;  // sent by somebody else
  sigset_t* set = &static_cast<ucontext_t*>(context)->uc_sigmask;
  uint64_t mask;
  memcpy(&mask, set, sizeof mask);
  mask = Adjusted(*thread, mask);
  memcpy(set, &mask, sizeof mask);
}

// Takes the highest real-time signal that nobody uses, once and for good: an instance that a thread
// receives late must still find the handler. False when none is free.
bool ClaimPrivateSignal() {
  if (private_signal != 0) return true;
  for (int signal = SIGRTMAX - 1; signal >= SIGRTMIN; signal--) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) < 0 || action.sa_handler != SIG_DFL) continue;
    action = {};
    action.sa_sigaction = AdjustThisThread;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    if (sigaction(signal, &action, nullptr) < 0) continue;
    private_signal = signal;
    return true;
  }
  return false;
}

// The record of a thread. One that is seen for the first time has what its maker had, which is what
// was wanted until now.
Thread* RecordOf(const Task& task, uint64_t previous, uint64_t since) {
  Thread* record = Find(task.tid);
  if (record != nullptr && record->start == task.start) return record;
  for (Thread* t = threads; record == nullptr && t != nullptr; t = t->next) {
    if (!t->is_alive) record = t;
  }
  if (record == nullptr) {
    record = new (std::nothrow) Thread;
    if (record == nullptr) return nullptr;
    record->next = threads;
    threads = record;
  }
  record->start = task.start;
  record->applied = previous;
  record->kept = 0;
  record->is_new = task.start >= since;
  record->tid = task.tid;
  return record;
}

// Marks the records of threads that are gone, for reuse.
int32_t Census(uint64_t previous, uint64_t since) {
  for (Thread* thread = threads; thread != nullptr; thread = thread->next) thread->is_alive = false;
  // First who is still here, so that no record is taken from a living thread; then who is new.
  int32_t rc = ForEachTask([](const Task& task) {
    Thread* record = Find(task.tid);
    if (record != nullptr) record->is_alive = true;
  });
  if (rc < 0) return rc;
  bool failed = false;
  rc = ForEachTask([&](const Task& task) {
    Thread* record = RecordOf(task, previous, since);
    if (record == nullptr) failed = true;
    if (record != nullptr) record->is_alive = true;
  });
  return failed ? -ENOMEM : rc;
}

int64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

// Whether a thread has done what it was asked, or will before it could take one of the signals.
bool IsSettled(const Thread& thread, const Task& task) {
  if (thread.applied == wanted) return true;
  const uint64_t holds_off = Bit(private_signal) | (wanted & ~thread.applied);
  return (task.pending & Bit(private_signal)) != 0 && (task.blocked & holds_off) == holds_off;
}

// Brings every thread to block just the signals in `target` for us. Done when two passes in a row
// find nothing left: a thread made during the first by one that wasn't done yet is in the second.
int32_t BringAllTo(uint64_t target) {
  const uint64_t previous = wanted;
  const uint64_t since = TicksSinceBoot();
  const pid_t self = Syscall(SYS_gettid);
  const pid_t process = Syscall(SYS_getpid);
  const int64_t deadline = MonotonicNs() + kPatienceNs;
  int32_t rc = Census(previous, since);
  if (rc < 0) return rc;
  wanted = target;
  for (int clean = 0; clean < 2;) {
    int unsettled = 0;
    rc = ForEachTask([&](const Task& task) {
      Thread* thread = RecordOf(task, previous, since);
      if (thread == nullptr || IsSettled(*thread, task)) return;
      if (task.tid == self) {
        const sigset_t set = ToSet(Adjusted(*thread, task.blocked));
        pthread_sigmask(SIG_SETMASK, &set, nullptr);
        return;
      }
      unsettled++;
      if (task.pending & Bit(private_signal)) return;  // on its way
      Syscall(SYS_tgkill, process, task.tid, private_signal);
    });
    if (rc < 0) return rc;
    clean = unsettled == 0 ? clean + 1 : 0;
    if (unsettled == 0) continue;
    if (MonotonicNs() > deadline) return -ETIMEDOUT;
    nanosleep(&kPause, nullptr);
  }
  return 0;
}

// What is pending was meant for the signalfd that is going away. Unblocked, it would take its
// default action, which is mostly the end of the process.
void Drain(uint64_t mask) {
  const sigset_t set = ToSet(mask);
  const timespec now = {0, 0};
  // Bounded, for a sender that never stops.
  for (int i = 0; i < 100000 && sigtimedwait(&set, nullptr, &now) > 0; i++) {
  }
}

int32_t Unblock(uint64_t mask) {
  Drain(mask);
  const int32_t rc = BringAllTo(wanted & ~mask);
  // Who hasn't answered will: its private signal is pending.
  return rc == -ETIMEDOUT ? 0 : rc;
}

int32_t Block(uint64_t mask) {
  if (!ClaimPrivateSignal()) return -EAGAIN;
  const int32_t rc = BringAllTo(wanted | mask);
  if (rc < 0) Unblock(mask);
  return rc;
}

// Takes one use of each signal off; returns those that nobody wants any more.
uint64_t Release(State& state, uint64_t mask) {
  uint64_t unused = 0;
  for (int signal = 1; signal <= kSignals; signal++) {
    if ((mask & Bit(signal)) == 0 || state.signal_users[signal] == 0) continue;
    state.signal_users[signal]--;
    if (--users[signal] == 0) unused |= Bit(signal);
  }
  return unused;
}

class Guard {
 public:
  Guard() { pthread_mutex_lock(&lock); }
  ~Guard() { pthread_mutex_unlock(&lock); }
};

// One more user of the signals in wide register 0.
int32_t SignalsBlock(State& state) {
  Guard guard;
  const uint64_t mask = state.wide[0];
  uint64_t unblocked = 0;
  for (int signal = 1; signal <= kSignals; signal++) {
    if ((mask & Bit(signal)) != 0 && users[signal] == 0) unblocked |= Bit(signal);
  }
  if (unblocked != 0) {
    const int32_t rc = Block(unblocked);
    if (rc < 0) return rc;
  }
  for (int signal = 1; signal <= kSignals; signal++) {
    if ((mask & Bit(signal)) == 0) continue;
    users[signal]++;
    state.signal_users[signal]++;
  }
  return 0;
}

// One user less. The last one restores the masks that the threads had.
int32_t SignalsUnblock(State& state) {
  Guard guard;
  const uint64_t unused = Release(state, state.wide[0]);
  return unused == 0 ? 0 : Unblock(unused);
}

// What is blocked in every thread now, in wide register 0.
int32_t SignalsBlocked(State& state) {
  state.wide[0] = wanted;
  return 0;
}

}  // namespace

void signal_mask::ReleaseAll(State& state) {
  Guard guard;
  uint64_t unused = 0;
  for (int signal = 1; signal <= kSignals; signal++) {
    while (state.signal_users[signal] > 0) unused |= Release(state, Bit(signal));
  }
  if (unused != 0) Unblock(unused);
}

const Export kSignalMaskExports[] = {
    {"signals_block", Call<SignalsBlock>::ByArguments},
    {"signals_unblock", Call<SignalsUnblock>::ByArguments},
    {"signals_blocked", Call<SignalsBlocked>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
