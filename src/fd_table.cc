#include "fd_table.h"

#include <pthread.h>
#include <sys/mman.h>

#include "interest_list.h"
#include "syscall.h"

namespace genpoll::fd_table {

bool is_forked = false;

namespace {

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == sizeof(uint32_t) && Word::is_always_lock_free);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// Slots share locks: contention is rare, and 2^20 locks are not.
constexpr int kLocks = 64;

struct Table {
  Word* generations;
  Slot* slots;
  uint32_t first_generation;
  std::atomic<int> end{0};  // one more than the highest number ever seen
  std::atomic<bool> has_dups{false};
  pthread_mutex_t locks[kLocks];
};

// Reserved whole but committed by the page on first touch, so it costs memory only where numbers
// are in use, never moves under a reader, and is zero to begin with. Never unmapped: the addon
// stays loaded (-z nodelete) and other threads may still read while one environment ends.
template <typename T>
T* Reserve() {
  void* memory = mmap(nullptr, kSlots * sizeof(T), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
}

// Processes that share an epoll must not take each other's entries for their own, so that each
// begins to count somewhere else; in the lower half, to have as much again before it runs full.
uint32_t FirstGeneration() {
  uint32_t random = 0;
  if (Syscall(SYS_getrandom, &random, sizeof random, 0) < 0) {
    random = static_cast<uint32_t>(Syscall(SYS_getpid)) * 2654435761u;
  }
  return (random & 0x7fffffff) | 1;
}

Table& TheTable() {
  static Table table;
  static const bool is_made = [] {
    table.generations = Reserve<Word>();
    // In a process that is forked off without exec no token is current, so that JavaScript finds
    // out even where it makes no call.
    madvise(table.generations, kSlots * sizeof(Word), MADV_WIPEONFORK);
    table.slots = Reserve<Slot>();
    table.first_generation = FirstGeneration();
    for (auto& lock : table.locks) pthread_mutex_init(&lock, nullptr);
    pthread_atfork(nullptr, nullptr, [] { is_forked = true; });
    return true;
  }();
  (void)is_made;
  return table;
}

pthread_mutex_t* LockOf(int fd) { return &TheTable().locks[static_cast<unsigned>(fd) % kLocks]; }

}  // namespace

bool Init() { return TheTable().generations != nullptr && TheTable().slots != nullptr; }

uint32_t* Generations() { return reinterpret_cast<uint32_t*>(TheTable().generations); }

Lock::Lock(int fd) : fd_(fd) { pthread_mutex_lock(LockOf(fd)); }
Lock::~Lock() { pthread_mutex_unlock(LockOf(fd_)); }

Slot& Lock::slot() const { return TheTable().slots[fd_]; }

uint32_t Lock::generation() const {
  if (slot().is_worn) return slot().worn_generation;
  return TheTable().generations[fd_].load(std::memory_order_relaxed);
}

bool Lock::IsCurrent(uint32_t generation) const { return this->generation() == generation; }

void Lock::Renew(bool keeps_owner) {
  Table& table = TheTable();
  Slot& slot = this->slot();
  uint32_t next = generation() + 1;
  if (next == 0) slot.is_worn = true;
  if (next == 1 && !slot.is_worn) next = table.first_generation;
  if (next == 0) next = 1;
  if (slot.is_worn) {
    slot.worn_generation = next;
    next = 0;
  }
  table.generations[fd_].store(next, std::memory_order_release);
  slot.file.store(static_cast<uint64_t>(generation()) << 32 | static_cast<uint32_t>(fd_),
                  std::memory_order_relaxed);
  if (!keeps_owner) slot.owner = slot.since = 0;
  interest::Expire(slot, fd_);
  int end = table.end.load(std::memory_order_relaxed);
  while (end <= fd_ && !table.end.compare_exchange_weak(end, fd_ + 1, std::memory_order_relaxed)) {
  }
}

void Renew(int fd) {
  if (!HasSlot(fd)) return;
  Lock lock(fd);
  lock.Renew();
}

int32_t Opened(int32_t rc) {
  Renew(rc);
  return rc;
}

int32_t Duplicated(int32_t rc, int original) {
  Renew(rc);
  if (HasSlot(rc) && HasSlot(original)) {
    const uint64_t file = FileOf(original);
    Lock lock(rc);
    SetFile(lock, file);
  }
  return rc;
}

uint64_t FileOf(int fd) {
  if (!HasSlot(fd)) return 0;
  Lock lock(fd);
  if (lock.generation() == 0) lock.Renew();
  return lock.slot().file.load(std::memory_order_relaxed);
}

void SetFile(const Lock& lock, uint64_t file) {
  TheTable().has_dups.store(true, std::memory_order_relaxed);
  lock.slot().file.store(file, std::memory_order_relaxed);
}

int NextOf(uint64_t file, int from) {
  Table& table = TheTable();
  if (!table.has_dups.load(std::memory_order_relaxed)) return -1;
  const int end = table.end.load(std::memory_order_relaxed);
  for (int fd = from; fd < end; fd++) {
    if (table.slots[fd].file.load(std::memory_order_relaxed) == file) return fd;
  }
  return -1;
}

}  // namespace genpoll::fd_table
