#ifndef GENPOLL_INTEREST_LIST_H_
#define GENPOLL_INTEREST_LIST_H_

#include <pthread.h>
#include <sys/epoll.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "fd_table.h"
#include "syscall.h"
#include "witness.h"

// Which interest lists (epoll(7)) each descriptor number is in, across all threads: epoll itself
// forgets a number only with the last descriptor of its file, so whoever closes or replaces a
// number has to take it out of every list first.
//
// All living entries of a number are for the same file, and of its present generation. Whoever adds
// one asks the others first (`Enroll`); whoever finds one that isn't so gives the number a new
// generation, and with that all of them are dead.
//
// Lock order: a slot's lock, then a list's. Never two of a kind at once.

namespace genpoll::interest {

// The data of Node's own loop, while it is in the list. No registration has generation 0.
constexpr uint64_t kHost = 0;

struct List {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<int> epfd;  // -1 once it is closed; changed under the mutex
  int next_epfd = -1;     // what a rebuild is filling meanwhile
  bool is_shared;         // with other processes, which may delete what is ours
  std::atomic<int> size{0};
  std::atomic<int> references{0};
  // Rebuilds that were begun, and the last that was successful: what was dead when that began is
  // gone.
  std::atomic<int> begun{0};
  std::atomic<int> rebuilt{0};
  std::vector<Witness*> witnesses;  // those in use, under the mutex
  // An eventfd that is rung when registrations end by what happens to their numbers, if somebody
  // wants to know which (else -1). The numbers are under the mutex.
  std::atomic<int> bell{-1};
  std::vector<int> ended;
};

// An entry that the kernel has under a number, as far as genpoll knows. One whose number was
// recycled without genpoll is dead: it stays as a way to find what keeps it in the kernel, and
// because the list can't be asked about the number's next file while it is there (witness.h).
struct Entry {
  List* list;
  uint32_t generation;
  uint32_t events;
  uint64_t file;
  bool follows;  // stays with the number, whatever comes under it
  bool is_live;
  bool is_several;   // stands for others that are dead as well
  int begun;         // the rebuilds of the list that had begun when it died
  Witness* witness;  // if there is a dead one beside it
  Entry* next;
};

// What `Add` found out.
enum Finding : uint32_t {
  kTrusted = 1,   // the number is owned: the table knows what it means
  kRecycled = 2,  // the former registration's number was recycled without genpoll
  kHaunted = 4,   // the former entry may still be in the kernel's list
};

// One reference is the caller's.
List* Open(int epfd, bool is_shared);
void Release(List* list);

// These return 0 or -errno, or kStale if the generation isn't that of a living entry (any more).
constexpr int kStale = 1;
// `*generation` is what the number has to have, or 0; and then what was registered.
int Add(List* list, int fd, uint32_t events, bool follows, uint32_t* generation,
        uint32_t* findings);
int Modify(List* list, int fd, uint32_t generation, uint32_t events);
int Remove(List* list, int fd, uint32_t generation);
// Registers what the number names now in place of what it named at `*generation`.
int Follow(List* list, int fd, uint32_t events, uint32_t* generation);
// For an entry whose number seems to name another file than was registered: -EEXIST if it doesn't.
// Else the entry is dead, and what this returns says why.
int Lose(List* list, int fd, uint32_t generation);
// Forgets an entry that somebody else has deleted; -EEXIST if nobody has.
int Drop(List* list, int fd, uint32_t generation);
// The generation of the newest entry for a number, or 0; and whether it stays with the number.
uint32_t Find(List* list, int fd, bool* is_live, bool* follows);
// Deletes a dead entry if there is a descriptor to delete it by: 1 if it did, else 0. By a dup only
// where the calls for that can be made.
int Evict(List* list, int fd, uint32_t generation, bool has_calls);
// Puts a new epoll with the `count` entries [events, fd, generation] in the place of the old, and
// with the descriptor of Node's loop, if that is in it (else -1). `events` becomes 0, or an -errno
// where the number doesn't name what was registered any more. `*is_made`: there was a new one, if
// it fails.
int Rebuild(List* list, int32_t* triples, int count, int host_fd, bool* is_made);

// dup3. Those entries for `fd` that follow, or all of them and the owner of `fd` too if everyone
// does, are registered for the file of `original` then.
int Replace(int original, int fd, int flags, bool everyone);

// Has an eventfd, which other threads may ring from then on, rung for registrations that end; -1:
// none.
void SetBell(List* list, int bell);
// The number of one that has ended since, or -ENOENT.
int NextEnded(List* list);

// For a number that is about to be closed: takes it out of every list. -EBADF if the number turns
// out to name another file than was registered.
int Leave(const fd_table::Lock& lock, int fd);
// For a number that may have been recycled without genpoll: if those who have registered it say so,
// it gets a new generation.
void Judge(fd_table::Lock& lock, int fd);
// For a number that has got a new generation: its entries are dead, and it is no list any more.
void Expire(fd_table::Slot& slot, int fd);

namespace internal {

class Hold {
 public:
  explicit Hold(List* list) : list_(list) { pthread_mutex_lock(&list->mutex); }
  ~Hold() { pthread_mutex_unlock(&list_->mutex); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  List* list_;
};

inline uint64_t TokenOf(int fd, uint32_t generation) {
  return static_cast<uint64_t>(generation) << 32 | static_cast<uint32_t>(fd);
}

// With the list locked: its epoll can't be closed meanwhile.
int Control(List* list, int op, int fd, uint32_t events = 0, uint64_t token = 0);
// Adds an entry for what a number names, which has none that is alive in this list. Should it be a
// file whose dead entry is left there, that one comes back to life. Should the others of the number
// be for another file, it gets a new generation; if `generation` is expected, kStale.
int Enroll(fd_table::Lock& lock, List* list, int fd, uint32_t events, bool follows,
           uint32_t expected = 0);
// The newest entry of a list. At most one dead one is kept beside a living one.
Entry* EntryOf(const fd_table::Slot& slot, const List* list);
Entry* EntryOf(const fd_table::Slot& slot, const List* list, uint32_t generation);
void Bury(Entry* entry, int fd);
void Unlink(fd_table::Slot& slot, Entry* entry, int fd);
// A living entry is about to end, and not because it is removed.
void Ring(List* list, int fd);
// What the living entries of a number say about it, all but one.
enum Word { kNothing, kSame, kAnother };
Word WordOf(const fd_table::Slot& slot, int fd, const Entry* but = nullptr);
// An entry isn't for what its number names.
void Condemn(fd_table::Lock& lock, Entry* entry, int fd, bool keeps_owner = false);
// An entry was deleted from the kernel's list.
void Forget(fd_table::Slot& slot, Entry* entry, int fd);
// What the kernel says about the number of a living entry. With the slot locked: `Replace` in
// another thread must be over or not have begun.
//   -EEXIST   it names the file that was registered
//   -ENOENT   it does, and somebody else has deleted the entry
//   kStale    nothing: the list was closed
//   other     it names another file, or none (-EBADF)
// Here to be inlined: it is asked before each event of a foreign descriptor, and every frame below
// a system call costs (see CONTRIBUTING.md).
inline int Ask(Entry* entry, int fd) {
  Hold hold(entry->list);
  const int epfd = entry->list->epfd.load(std::memory_order_relaxed);
  if (epfd < 0) return kStale;
  if (entry->witness != nullptr && entry->witness->epfd >= 0) {
    const int rc = ProbeEpoll(entry->witness->epfd, fd, 0, &entry->is_several);
    if (rc != -EEXIST) return rc;
    return ProbeEpoll(epfd, fd, 0, &entry->is_several) == -EEXIST ? -EEXIST : -ENOENT;
  }
  return ProbeEpoll(epfd, fd, 0, &entry->is_several);
}

}  // namespace internal

// `Ask` about what was registered at a generation; kStale if that isn't alive.
inline int Probe(List* list, int fd, uint32_t generation) {
  fd_table::Lock lock(fd);
  Entry* entry = internal::EntryOf(lock.slot(), list);
  const bool is_meant = entry != nullptr && entry->is_live && entry->generation == generation;
  return is_meant ? internal::Ask(entry, fd) : kStale;
}

}  // namespace genpoll::interest

#endif  // GENPOLL_INTEREST_LIST_H_
