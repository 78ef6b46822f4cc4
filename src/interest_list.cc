#include "interest_list.h"

#include <sys/epoll.h>

#include <cerrno>

#include "syscall.h"

namespace genpoll::interest {

using fd_table::Lock;
using fd_table::Slot;

namespace internal {

int Control(List* list, int op, int fd, uint32_t events, uint64_t token) {
  Hold hold(list);
  if (list->epfd < 0) return -EBADF;
  if (list->next_epfd >= 0) ControlEpoll(list->next_epfd, op, fd, events, token);
  return ControlEpoll(list->epfd, op, fd, events, token);
}

Entry* EntryOf(const Slot& slot, const List* list) {
  Entry* entry = slot.entries;
  while (entry != nullptr && entry->list != list) entry = entry->next;
  return entry;
}

Entry* EntryOf(const Slot& slot, const List* list, uint32_t generation) {
  Entry* entry = slot.entries;
  while (entry != nullptr && (entry->list != list || entry->generation != generation)) {
    entry = entry->next;
  }
  return entry;
}

void Bury(Entry* entry) {
  if (entry->is_live) entry->list->size.fetch_sub(1, std::memory_order_relaxed);
  entry->is_live = false;
}

void Unlink(Slot& slot, Entry* entry) {
  Entry** link = &slot.entries;
  while (*link != entry) link = &(*link)->next;
  *link = entry->next;
  Bury(entry);
  Release(entry->list);
  delete entry;
}

int Register(List* list, int fd, uint32_t events, const Lock& lock) {
  const uint64_t token = TokenOf(fd, lock.generation());
  const int rc = Control(list, EPOLL_CTL_ADD, fd, events, token);
  return rc == -EEXIST ? Control(list, EPOLL_CTL_MOD, fd, events, token) : rc;
}

}  // namespace internal

using namespace internal;

namespace {

void Link(const Lock& lock, List* list, uint32_t events, bool follows) {
  Slot& slot = lock.slot();
  list->references.fetch_add(1, std::memory_order_relaxed);
  list->size.fetch_add(1, std::memory_order_relaxed);
  // A number that is recycled again and again behind our back must not pile up dead entries.
  Entry* newest = EntryOf(slot, list);
  for (Entry* entry = slot.entries; entry != nullptr;) {
    Entry* next = entry->next;
    const bool is_older = entry->list == list && entry != newest;
    if (is_older) newest->is_several = true;
    if (is_older || entry->list->epfd < 0) Unlink(slot, entry);
    entry = next;
  }
  slot.entries = new Entry{list,  lock.generation(), events, slot.file, follows, true, false,
                           false, slot.entries};
}

}  // namespace

List* Open(int epfd, bool is_shared) {
  auto* list = new List;
  list->epfd = epfd;
  list->is_shared = is_shared;
  list->references = 2;
  Lock lock(epfd);
  lock.slot().list = list;
  return list;
}

void Release(List* list) {
  if (list->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete list;
}

int Add(List* list, int fd, uint32_t events, bool follows, uint32_t* generation,
        uint32_t* findings) {
  Lock lock(fd);
  Slot& slot = lock.slot();
  const uint32_t expected = *generation;
  *findings = 0;
  if (expected != 0 && !lock.IsCurrent(expected)) return kStale;
  if (lock.generation() == 0) lock.Renew();
  Entry* former = EntryOf(slot, list);
  const bool is_registered =
      former != nullptr && former->is_live && former->generation == lock.generation();
  int rc = Control(list, EPOLL_CTL_ADD, fd, events, TokenOf(fd, lock.generation()));
  if (rc == 0 && is_registered && list->is_shared) {
    Unlink(slot, former);  // another process has deleted it
  } else if (rc == 0 && is_registered) {
    // The kernel holds no such entry: the number was closed and recycled without genpoll. The token
    // has to change, or the last events of the former file would pass for the new one's.
    Bury(former);
    Judge(lock, fd, true);
    *findings |= kRecycled;
    if (expected != 0) {
      Control(list, EPOLL_CTL_DEL, fd);
      return kStale;
    }
    rc = Control(list, EPOLL_CTL_MOD, fd, events, TokenOf(fd, lock.generation()));
  } else if (rc == -EEXIST && former != nullptr && !is_registered) {
    // The file of a dead entry is back under its number.
    rc = Control(list, EPOLL_CTL_MOD, fd, events, TokenOf(fd, lock.generation()));
    if (rc == 0) Unlink(slot, former);
  }
  if (rc < 0) return rc;
  Link(lock, list, events, follows);
  *generation = lock.generation();
  if (slot.owner != 0 && !slot.is_worn) *findings |= kTrusted;
  for (Entry* entry = slot.entries->next; entry != nullptr; entry = entry->next) {
    if (entry->list == list) *findings |= kHaunted;
  }
  return 0;
}

int Modify(List* list, int fd, uint32_t generation, uint32_t events) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list, generation);
  if (entry == nullptr || !entry->is_live) return kStale;
  const int rc = Control(list, EPOLL_CTL_MOD, fd, events, TokenOf(fd, generation));
  if (rc == 0) entry->events = events;
  return rc;
}

int Remove(List* list, int fd, uint32_t generation) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list, generation);
  if (entry == nullptr) return kStale;
  // Even if it is dead: a number that was only retired still names its file.
  const int rc = Control(list, EPOLL_CTL_DEL, fd);
  if (rc == 0) {
    Unlink(lock.slot(), entry);
  } else if ((rc == -ENOENT || rc == -EBADF) && entry->is_live) {
    Bury(entry);
    // What is registered under the number next mustn't have the token of what may be left there.
    if (lock.IsCurrent(generation)) Judge(lock, fd, true, lock.slot().owner != 0);
  }
  return rc;
}

int Follow(List* list, int fd, uint32_t events, uint32_t* generation) {
  Lock lock(fd);
  const uint32_t before = *generation;
  if (Entry* entry = EntryOf(lock.slot(), list, before)) Bury(entry);
  if (lock.IsCurrent(before)) Judge(lock, fd, true, true);
  *generation = lock.generation();
  const int rc = Register(list, fd, events, lock);
  if (rc == 0) Link(lock, list, events, true);
  return rc;
}

void Drop(List* list, int fd, uint32_t generation) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list, generation);
  if (entry != nullptr) Unlink(lock.slot(), entry);
}

uint32_t Find(List* list, int fd, bool* is_current, bool* is_moved) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list);
  *is_current = entry != nullptr && entry->is_live && lock.IsCurrent(entry->generation);
  *is_moved = *is_current && entry->is_moved;
  if (entry == nullptr) return 0;
  entry->is_moved = false;
  return entry->generation;
}

void Judge(Lock& lock, int fd, bool is_recycled, bool keeps_owner) {
  Slot& slot = lock.slot();
  Entry* kept = nullptr;
  for (Entry** link = &slot.entries; *link != nullptr;) {
    Entry* entry = *link;
    const bool is_same = entry->is_live && Probe(entry->list, fd) == -EEXIST;
    if (entry->is_live && !is_same && entry->list->epfd >= 0) is_recycled = true;
    if (is_same) {
      *link = entry->next;
      entry->next = kept;
      kept = entry;
    } else {
      link = &entry->next;
    }
  }
  if (is_recycled) lock.Renew(keeps_owner);
  while (kept != nullptr) {
    Entry* entry = kept;
    kept = entry->next;
    entry->next = slot.entries;
    slot.entries = entry;
    if (!is_recycled) continue;
    entry->generation = lock.generation();
    entry->file = slot.file;
    // Reports once more what is edge-triggered, and what has fired of one-shots, which is known
    // there.
    Control(entry->list, EPOLL_CTL_MOD, fd, entry->events, TokenOf(fd, entry->generation));
  }
}

void Lose(List* list, int fd, uint32_t generation) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list, generation);
  if (entry != nullptr) Bury(entry);
  if (lock.IsCurrent(generation)) Judge(lock, fd, true);
}

void Expire(Slot& slot) {
  for (Entry* entry = slot.entries; entry != nullptr; entry = entry->next) Bury(entry);
  if (slot.list == nullptr) return;
  List* list = slot.list;
  slot.list = nullptr;
  {
    Hold hold(list);
    list->epfd = -1;
  }
  Release(list);
}

int Leave(const Lock& lock, int fd) {
  Slot& slot = lock.slot();
  int proof = 0;
  bool is_stranger = false;
  for (Entry* entry = slot.entries; entry != nullptr;) {
    Entry* next = entry->next;
    List* list = entry->list;
    const bool is_live = entry->is_live;
    const int rc = Control(list, EPOLL_CTL_DEL, fd);
    // Of a number that was retired, or a list in which others delete, the kernel's no is no news.
    if (is_live && !list->is_shared && list->epfd >= 0 && rc < 0) is_stranger = true;
    if (rc == 0) proof = 1;
    if (rc == 0 || list->epfd < 0 || list->is_shared) {
      Unlink(slot, entry);
    } else {
      Bury(entry);
      // It is the number that ends, and with it what follows it.
      if (entry->follows) entry->generation = 0;
    }
    entry = next;
  }
  return is_stranger && !proof ? -EBADF : 0;
}

}  // namespace genpoll::interest
