#ifndef GENPOLL_INTEREST_LIST_H_
#define GENPOLL_INTEREST_LIST_H_

#include <pthread.h>
#include <sys/epoll.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "fd_table.h"
#include "syscall.h"

// Which interest lists (epoll(7)) each descriptor number is in, across all threads: epoll itself
// forgets a number only with the last descriptor of its file, so whoever closes or replaces a
// number has to take it out of every list first.
//
// Lock order: a slot's lock, then a list's. Never two of a kind at once.

namespace genpoll::interest {

// Reserved data for an entry that is there only while a question is asked. Its generation is 0.
constexpr uint64_t kProbe = 0xffffffff;
// The data of Node's own loop, while it is in the list. No registration has generation 0.
constexpr uint64_t kHost = 0;

struct List {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<int> epfd;  // -1 once it is closed; changed under the mutex
  int next_epfd = -1;     // what a rebuild is filling meanwhile
  bool is_shared;         // with other processes, which may delete what is ours
  std::atomic<int> size{0};
  std::atomic<int> references{0};
};

// An entry that the kernel has under a number, as far as genpoll knows. One whose number was
// recycled without genpoll is dead: it stays as a way to find what keeps it in the kernel.
struct Entry {
  List* list;
  uint32_t generation;
  uint32_t events;
  uint64_t file;
  bool follows;  // stays with the number, whatever comes under it
  bool is_live;
  bool is_several;  // stands for older dead ones as well
  bool is_moved;    // goes with another file since it was last looked for
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

// These return 0 or -errno, or kStale if the generation isn't current.
constexpr int kStale = 1;
// `*generation` is what the number has to have, or 0; and then what was registered.
int Add(List* list, int fd, uint32_t events, bool follows, uint32_t* generation,
        uint32_t* findings);
int Modify(List* list, int fd, uint32_t generation, uint32_t events);
int Remove(List* list, int fd, uint32_t generation);
// Registers what the number names now in place of what it named at `*generation`.
int Follow(List* list, int fd, uint32_t events, uint32_t* generation);
// The number doesn't name what was registered at a generation.
void Lose(List* list, int fd, uint32_t generation);
// Forgets an entry that somebody else has deleted.
void Drop(List* list, int fd, uint32_t generation);
// The generation of the newest entry for a number, or 0.
uint32_t Find(List* list, int fd, bool* is_current, bool* is_moved);
// Deletes a dead entry if there is a descriptor to delete it by: 1 if it did, else 0. By a dup only
// where the calls for that can be made.
int Evict(List* list, int fd, uint32_t generation, bool has_calls);
// Puts a new epoll with the `count` entries [events, fd, generation] in the place of the old, and
// with the descriptor of Node's loop, if that is in it (else -1). `events` becomes 0, or an -errno
// where the number doesn't name what was registered any more.
int Rebuild(List* list, int32_t* triples, int count, int host_fd);

// dup3. Those entries for `fd` that follow, or all of them and the owner of `fd` too if everyone
// does, are registered for the file of `original` then.
int Replace(int original, int fd, int flags, bool everyone);

// For a number that is about to be closed: takes it out of every list. -EBADF if the number turns
// out to name another file than was registered.
int Leave(const fd_table::Lock& lock, int fd);
// For a number that may have been recycled without genpoll: if it doesn't name what was registered
// under it somewhere, it gets a new generation, and those registrations that were made for what it
// names now keep up with it.
void Judge(fd_table::Lock& lock, int fd, bool is_recycled = false, bool keeps_owner = false);
// For a number that has got a new generation: its entries are dead, and it is no list any more.
void Expire(fd_table::Slot& slot);

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

inline int ControlEpoll(int epfd, int op, int fd, uint32_t events, uint64_t token) {
  epoll_event event;
  event.events = events;
  event.data.u64 = token;
  return Syscall(SYS_epoll_ctl, epfd, op, fd, &event);
}

// As `ControlEpoll`, with the list locked: its epoll can't be closed meanwhile.
int Control(List* list, int op, int fd, uint32_t events = 0, uint64_t token = 0);
// Adds an entry for what a number names. Should it be a file whose dead entry is left there, that
// one comes back to life.
int Register(List* list, int fd, uint32_t events, const fd_table::Lock& lock);
// The newest entry of a list. At most one dead one is kept beside a living one.
Entry* EntryOf(const fd_table::Slot& slot, const List* list);
Entry* EntryOf(const fd_table::Slot& slot, const List* list, uint32_t generation);
void Bury(Entry* entry);
void Unlink(fd_table::Slot& slot, Entry* entry);

}  // namespace internal

// -EEXIST if the entry under a number is still for the file that the number names. 0 and every
// other error: it names another, or none (-EBADF). With the slot locked: `Replace` in another
// thread must be over or not have begun. Here to be inlined: it is asked before each event of a
// foreign descriptor, and every frame below a system call costs (see CONTRIBUTING.md).
inline int Probe(List* list, int fd, uint32_t events = 0) {
  internal::Hold hold(list);
  const int epfd = list->epfd.load(std::memory_order_relaxed);
  if (epfd < 0) return -EBADF;
  const int rc = internal::ControlEpoll(epfd, EPOLL_CTL_ADD, fd, events, kProbe);
  if (rc == 0) internal::ControlEpoll(epfd, EPOLL_CTL_DEL, fd, 0, 0);
  return rc;
}

}  // namespace genpoll::interest

#endif  // GENPOLL_INTEREST_LIST_H_
