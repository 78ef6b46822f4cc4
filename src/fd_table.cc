#include "fd_table.h"

#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>

namespace genpoll::fd_table {

namespace {

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == sizeof(uint32_t) && Word::is_always_lock_free);

// Slots share locks: contention is rare, and 2^20 locks are not.
constexpr int kLocks = 64;

struct Table {
  Word* generations = nullptr;
  Word* owners = nullptr;
  pthread_mutex_t locks[kLocks];
};

// Reserved whole but committed by the page on first touch, so it costs memory only where numbers
// are in use, never moves under a reader, and is zero to begin with. Never unmapped: the addon
// stays loaded (-z nodelete) and other threads may still read while one environment ends.
Word* Reserve() {
  void* memory = mmap(nullptr, kSlots * sizeof(Word), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Word*>(memory);
}

Table& TheTable() {
  static Table table = [] {
    Table made;
    made.generations = Reserve();
    made.owners = Reserve();
    for (auto& lock : made.locks) pthread_mutex_init(&lock, nullptr);
    return made;
  }();
  return table;
}

bool HasSlot(int fd) { return fd >= 0 && fd < kSlots; }

pthread_mutex_t* LockOf(int fd) { return &TheTable().locks[static_cast<unsigned>(fd) % kLocks]; }

uint32_t BumpLocked(int fd) {
  if (!HasSlot(fd)) return 0;
  Table& table = TheTable();
  uint32_t next = table.generations[fd].load(std::memory_order_relaxed) + 1;
  if (next == 0) next = 1;  // 0 stays "never seen"
  table.owners[fd].store(0, std::memory_order_relaxed);
  table.generations[fd].store(next, std::memory_order_release);
  return next;
}

}  // namespace

bool Init() { return TheTable().generations != nullptr && TheTable().owners != nullptr; }

uint32_t* Generations() { return reinterpret_cast<uint32_t*>(TheTable().generations); }

Lock::Lock(int fd) : fd_(fd) { pthread_mutex_lock(LockOf(fd)); }
Lock::~Lock() { pthread_mutex_unlock(LockOf(fd_)); }

bool Lock::IsCurrent(uint32_t generation) const {
  return HasSlot(fd_) && TheTable().generations[fd_].load(std::memory_order_relaxed) == generation;
}

void Lock::Bump() { BumpLocked(fd_); }

uint32_t Bump(int fd) {
  Lock lock(fd);
  return BumpLocked(fd);
}

int32_t Opened(int32_t rc) {
  if (rc >= 0) Bump(rc);
  return rc;
}

int Own(int fd, uint32_t owner) {
  if (!HasSlot(fd)) return -EBADF;
  Lock lock(fd);
  Word& word = TheTable().owners[fd];
  if (word.load(std::memory_order_relaxed) != 0) return -EEXIST;
  // A number from elsewhere that is seen for the first time.
  if (TheTable().generations[fd].load(std::memory_order_relaxed) == 0) BumpLocked(fd);
  word.store(owner, std::memory_order_relaxed);
  return 0;
}

uint32_t Owner(int fd) {
  return HasSlot(fd) ? TheTable().owners[fd].load(std::memory_order_relaxed) : 0;
}

}  // namespace genpoll::fd_table
