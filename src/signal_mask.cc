// Blocking a signal in every thread of the process.
//
// A signalfd hears a signal only while it is blocked, and a signal sent to the process goes to any
// thread that doesn't block it: V8's workers and libuv's pool included, where it would take its
// default action. A thread's mask can be changed by that thread alone, so each is sent a private
// real-time signal whose handler edits the mask that the thread goes back to.
//
// Masks belong to the process, and so do the counts of who wants what blocked: two workers with a
// SignalFd for one signal share one block, and the last to close undoes it.

#include "signal_mask.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "call.h"
#include "syscall.h"

namespace genpoll {

namespace {

constexpr int64_t kPatienceNs = 2000000000;
constexpr timespec kPause = {0, 50000};

// A thread that had some of the signals blocked of its own accord, and keeps them so in the end.
// The start time tells it from a later thread of the same id.
struct Exempt {
  pid_t tid;
  uint64_t start;
  uint64_t mask;
};

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
uint32_t users[kSignals + 1];
Exempt* exempt = nullptr;
size_t exempt_count = 0;
int private_signal = 0;

// What the handler does to the thread that it runs on. They tell what holds now, not what was asked
// last: a thread may take its signal late.
std::atomic<uint64_t> to_block{0};
std::atomic<uint64_t> to_unblock{0};

uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

sigset_t ToSet(uint64_t mask) {
  sigset_t set;
  sigemptyset(&set);
  memcpy(&set, &mask, sizeof mask);
  return set;
}

void Adjust(int, siginfo_t* info, void* context) {
  if (info->si_code != SI_TKILL || info->si_pid != getpid()) return;
  sigset_t* set = &static_cast<ucontext_t*>(context)->uc_sigmask;
  uint64_t mask;
  memcpy(&mask, set, sizeof mask);
  mask = (mask | to_block.load(std::memory_order_acquire)) &
         ~to_unblock.load(std::memory_order_acquire);
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
    action.sa_sigaction = Adjust;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    if (sigaction(signal, &action, nullptr) < 0) continue;
    private_signal = signal;
    return true;
  }
  return false;
}

ssize_t ReadTaskFile(pid_t tid, const char* name, char* text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, text, size - 1);
  close(fd);
  if (length >= 0) text[length] = '\0';
  return length;
}

// The signals that a thread blocks. False for one that is gone or going.
bool BlockedBy(pid_t tid, uint64_t* mask) {
  char text[4096];
  if (ReadTaskFile(tid, "status", text, sizeof text) <= 0) return false;
  const char* state = strstr(text, "\nState:\t");
  if (state == nullptr || state[8] == 'Z' || state[8] == 'X') return false;
  const char* blocked = strstr(text, "\nSigBlk:\t");
  if (blocked == nullptr) return false;
  *mask = strtoull(blocked + 9, nullptr, 16);
  return true;
}

uint64_t StartOf(pid_t tid) {
  char text[1024];
  if (ReadTaskFile(tid, "stat", text, sizeof text) <= 0) return 0;
  const char* field = strrchr(text, ')');  // the name before it may hold anything
  for (int i = 0; field != nullptr && i < 20; i++) field = strchr(field + 1, ' ');
  return field == nullptr ? 0 : strtoull(field + 1, nullptr, 10);
}

template <typename Visit>
int32_t ForEachThread(Visit visit) {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return -errno;
  while (const dirent* entry = readdir(tasks)) {
    pid_t tid = atoi(entry->d_name);
    uint64_t mask;
    if (tid > 0 && BlockedBy(tid, &mask)) visit(tid, mask);
  }
  closedir(tasks);
  return 0;
}

uint64_t ExemptMask(pid_t tid) {
  uint64_t mask = 0;
  for (size_t i = 0; i < exempt_count; i++) {
    if (exempt[i].tid == tid && exempt[i].start == StartOf(tid)) mask |= exempt[i].mask;
  }
  return mask;
}

int32_t RememberExempt(uint64_t mask) {
  int32_t failure = 0;
  int32_t rc = ForEachThread([&](pid_t tid, uint64_t blocked) {
    if ((blocked & mask) == 0) return;
    void* grown = realloc(exempt, (exempt_count + 1) * sizeof(Exempt));
    if (grown == nullptr) {
      failure = -ENOMEM;
      return;
    }
    exempt = static_cast<Exempt*>(grown);
    exempt[exempt_count++] = {tid, StartOf(tid), blocked & mask};
  });
  return rc < 0 ? rc : failure;
}

void ForgetExempt(uint64_t mask) {
  size_t kept = 0;
  for (size_t i = 0; i < exempt_count; i++) {
    exempt[i].mask &= ~mask;
    if (exempt[i].mask != 0) exempt[kept++] = exempt[i];
  }
  exempt_count = kept;
}

// Brings every thread to block some signals and unblock others. Done when two passes in a row find
// nothing left: a thread made during the first by one that wasn't done yet is in the second.
int32_t AdjustAll(uint64_t block, uint64_t unblock) {
  const pid_t self = Syscall(SYS_gettid);
  const pid_t process = getpid();
  const sigset_t block_set = ToSet(block);
  const sigset_t unblock_set = ToSet(unblock & ~ExemptMask(self));
  pthread_sigmask(SIG_BLOCK, &block_set, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &unblock_set, nullptr);
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t deadline = now.tv_sec * 1000000000 + now.tv_nsec + kPatienceNs;
  for (int clean = 0; clean < 2;) {
    int missing = 0;
    int32_t rc = ForEachThread([&](pid_t tid, uint64_t blocked) {
      const uint64_t wrong = (block & ~blocked) | (unblock & blocked);
      if (tid == self || wrong == 0 || (wrong & ~ExemptMask(tid)) == 0) return;
      missing++;
      Syscall(SYS_tgkill, process, tid, private_signal);
    });
    if (rc < 0) return rc;
    clean = missing == 0 ? clean + 1 : 0;
    if (missing == 0) continue;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec * 1000000000 + now.tv_nsec > deadline) return -ETIMEDOUT;
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
  to_block = to_block & ~mask;
  to_unblock = to_unblock | mask;
  const int32_t rc = AdjustAll(0, mask);
  ForgetExempt(mask);
  // A thread that hasn't answered has the private signal pending, and will: leave it what to do.
  if (rc == -ETIMEDOUT) return 0;
  to_unblock = to_unblock & ~mask;
  return rc;
}

int32_t Block(uint64_t mask) {
  if (!ClaimPrivateSignal()) return -EAGAIN;
  int32_t rc = RememberExempt(mask);
  if (rc < 0) {
    ForgetExempt(mask);
    return rc;
  }
  to_unblock = to_unblock & ~mask;
  to_block = to_block | mask;
  rc = AdjustAll(mask, 0);
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
    int32_t rc = Block(unblocked);
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

}  // namespace

void signal_mask::Reapply() {
  const uint64_t block = to_block;
  if (block == 0) return;
  const sigset_t set = ToSet(block);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

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
    {nullptr, nullptr},
};

}  // namespace genpoll
