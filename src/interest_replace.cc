// What changes the file behind a number, or the epoll behind an interest list, under its entries.

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>

#include "epoll_params.h"
#include "evict.h"
#include "interest_list.h"
#include "syscall.h"

namespace genpoll::interest {

using namespace internal;
using fd_table::Lock;
using fd_table::Slot;

namespace {

// Takes the living entries out of a slot, and out of the kernel while the number still names their
// file. They stay counted.
Entry* TakeOut(Slot& slot, int fd) {
  Entry* taken = nullptr;
  for (Entry** link = &slot.entries; *link != nullptr;) {
    Entry* entry = *link;
    if (!entry->is_live) {
      link = &entry->next;
      continue;
    }
    const bool is_there = entry->witness == nullptr || Ask(entry, fd) == -EEXIST;
    if (is_there && Control(entry->list, EPOLL_CTL_DEL, fd) == 0) {
      *link = entry->next;
      Dismiss(entry, fd);
    } else {
      // It was replaced without genpoll before: what is in the kernel is dead.
      auto* copy = new Entry(*entry);
      copy->list->references.fetch_add(1, std::memory_order_relaxed);
      copy->list->size.fetch_add(1, std::memory_order_relaxed);
      copy->witness = nullptr;
      Bury(entry, fd);
      link = &entry->next;
      entry = copy;
    }
    entry->next = taken;
    taken = entry;
  }
  return taken;
}

// Puts what `TakeOut` took back, for what the number names now.
void PutBack(Lock& lock, int fd, Entry* taken, bool everyone) {
  while (taken != nullptr) {
    Entry* entry = taken;
    taken = entry->next;
    List* list = entry->list;
    const bool is_kept = everyone || entry->follows;
    if (!is_kept || Enroll(lock, list, fd, entry->events, entry->follows) != 0) Ring(list, fd);
    list->size.fetch_sub(1, std::memory_order_relaxed);
    Release(list);
    delete entry;
  }
}

int ProbeList(List* list, int fd, uint32_t events) {
  Hold hold(list);
  bool is_left;
  return list->epfd < 0 ? -EBADF : ProbeEpoll(list->epfd, fd, events, &is_left);
}

// Kernels before 6.9 have none.
int CopyParams(int from, int to) {
  EpollParams params = {};
  if (GetEpollParams(from, &params) < 0) return 0;
  const bool is_default =
      params.busy_poll_usecs == 0 && params.busy_poll_budget == 0 && params.prefer_busy_poll == 0;
  return is_default ? 0 : SetEpollParams(to, params);
}

// The epoll behind a number changes, and its generation doesn't: for its own registrations it is
// the same list. Those epolls that watch it have to look at the new one.
int Swap(List* list, int epfd, int original) {
  const uint64_t file = fd_table::FileOf(original);
  Lock lock(epfd);
  Slot& slot = lock.slot();
  if (slot.list != list) return -EBADF;
  Entry* taken = TakeOut(slot, epfd);
  int rc;
  {
    Hold hold(list);
    const bool is_cloexec = (Syscall(SYS_fcntl, epfd, F_GETFD) & FD_CLOEXEC) != 0;
    rc = Syscall(SYS_dup3, original, epfd, is_cloexec ? O_CLOEXEC : 0);
    // In the same breath: both numbers name the new epoll now.
    list->next_epfd = -1;
  }
  if (rc >= 0) fd_table::SetFile(lock, file);
  PutBack(lock, epfd, taken, true);
  return rc < 0 ? rc : 0;
}

}  // namespace

int Replace(int original, int fd, int flags, bool everyone) {
  // What the kernel would refuse must cost nobody a registration.
  int rc = Syscall(SYS_fcntl, original, F_GETFD);
  if (rc < 0) return rc;
  const bool is_refused = original == fd || (flags & ~O_CLOEXEC) != 0;
  if (is_refused || !fd_table::HasSlot(fd)) return Syscall(SYS_dup3, original, fd, flags);
  const uint64_t file = fd_table::FileOf(original);
  Lock lock(fd);
  Slot& slot = lock.slot();
  for (Entry* entry = slot.entries; everyone && entry != nullptr; entry = entry->next) {
    if (!entry->is_live || entry->list->epfd < 0) continue;
    rc = ProbeList(entry->list, original, entry->events & EPOLLEXCLUSIVE);
    // A list that is closed by another thread just now doesn't stand in the way.
    if (rc < 0 && rc != -EEXIST && entry->list->epfd >= 0) return rc;
  }
  Entry* taken = TakeOut(slot, fd);
  // Before the number changes: an event of the old file that was read already must find its
  // generation gone.
  lock.Renew(everyone);
  rc = Syscall(SYS_dup3, original, fd, flags);
  if (rc >= 0 && file != 0) fd_table::SetFile(lock, file);
  PutBack(lock, fd, taken, everyone || rc < 0);
  return rc;
}

int Rebuild(List* list, int32_t* triples, int count, int host_fd, bool* is_made) {
  const int epfd = list->epfd;
  const int next = fd_table::Opened(Syscall(SYS_epoll_create1, EPOLL_CLOEXEC));
  *is_made = next >= 0;
  if (next < 0) return next;
  int begun;
  {
    Hold hold(list);
    list->next_epfd = next;
    begun = ++list->begun;
  }
  int rc = CopyParams(epfd, next);
  if (rc == 0 && host_fd >= 0) {
    rc = ControlEpoll(next, EPOLL_CTL_ADD, host_fd, EPOLLIN | EPOLLET, kHost);
  }
  for (int i = 0; i < count && rc == 0; i++) {
    int32_t* triple = triples + 3 * i;
    const int fd = triple[1];
    const auto events = static_cast<uint32_t>(triple[0]);
    Lock lock(fd);
    // What another thread has replaced since has another generation.
    Entry* entry = EntryOf(lock.slot(), list);
    int added = -EBADF;
    if (entry != nullptr && entry->is_live) {
      added = ControlEpoll(next, EPOLL_CTL_ADD, fd, events, TokenOf(fd, entry->generation));
      // Asked afterwards, so that what was added can't be newer than the answer.
      if (added == 0 && Ask(entry, fd) != -EEXIST) {
        ControlEpoll(next, EPOLL_CTL_DEL, fd, 0, 0);
        added = -EBADF;
      }
    }
    triple[0] = added;
    if (added == -ENOMEM || added == -ENOSPC) rc = added;
  }
  if (rc == 0) rc = Swap(list, epfd, next);
  {
    Hold hold(list);
    list->next_epfd = -1;
    if (rc == 0) {
      list->rebuilt = begun;
      Retire(list, begun);
    }
  }
  fd_table::Renew(next);
  Syscall(SYS_close, next);
  return rc;
}

int Evict(List* list, int fd, uint32_t generation, bool has_calls) {
  Lock lock(fd);
  Slot& slot = lock.slot();
  Entry* entry = EntryOf(slot, list, generation);
  // By the number itself, unless that would hit another entry: the living one, or one that is not
  // as old.
  const Entry* newest = EntryOf(slot, list);
  const bool is_taken = newest != nullptr && (newest->is_live || newest != entry);
  if (!is_taken && Control(list, EPOLL_CTL_DEL, fd) == 0) {
    if (entry != nullptr) Forget(slot, entry, fd);
    return 1;
  }
  if (entry == nullptr || entry->is_live || entry->file == 0 || !has_calls) return 0;
  // What is believed to be a dup may be one of what the number names now, and delete that.
  const bool is_in_the_way = newest->is_live;
  if (is_in_the_way && (newest->witness == nullptr || newest->witness->epfd < 0)) return 0;
  int dup = -1;
  int rc = -ENOENT;
  while (rc < 0 && (dup = fd_table::NextOf(entry->file, dup + 1)) >= 0) {
    Hold hold(list);
    const int living = is_in_the_way ? newest->witness->epfd : -1;
    if (dup != fd) rc = evict::DeleteByDup(list->epfd, living, fd, dup);
  }
  if (rc < 0) return 0;
  Forget(slot, entry, fd);
  return 1;
}

}  // namespace genpoll::interest
