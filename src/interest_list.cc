#include "interest_list.h"

#include <sys/epoll.h>

#include <cerrno>

#include "syscall.h"

namespace genpoll::interest {

using fd_table::Lock;
using fd_table::Slot;

using namespace internal;

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
  if (former != nullptr && former->is_live) {
    const int rc = Ask(former, fd);
    if (rc == -EEXIST || rc == -EBADF) return rc;
    if (list->is_shared) {
      Unlink(slot, former, fd);  // another process has deleted it
    } else {
      Condemn(lock, former, fd);
      *findings |= kRecycled;
      if (expected != 0) return kStale;
    }
  }
  const int rc = Enroll(lock, list, fd, events, follows, expected);
  if (rc != 0) return rc;
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
  if (entry->witness != nullptr && Ask(entry, fd) != -EEXIST) return -ENOENT;
  const int rc = Control(list, EPOLL_CTL_MOD, fd, events, TokenOf(fd, generation));
  if (rc == 0) entry->events = events;
  // What can't be polled can't be what was registered.
  return rc == -EPERM ? -ENOENT : rc;
}

int Remove(List* list, int fd, uint32_t generation) {
  Lock lock(fd);
  Slot& slot = lock.slot();
  Entry* entry = EntryOf(slot, list, generation);
  if (entry == nullptr) return kStale;
  const int said = entry->witness != nullptr ? Ask(entry, fd) : -EEXIST;
  // Even if it is dead: a number that was only retired still names its file.
  const int rc = said == -EEXIST ? Control(list, EPOLL_CTL_DEL, fd) : said;
  if (rc == 0 && said == -EEXIST) {
    Forget(slot, entry, fd);
    return 0;
  }
  if (rc != -ENOENT && rc != -EBADF && rc != -EPERM && said == -EEXIST) return rc;
  if (entry->is_live) Condemn(lock, entry, fd, slot.owner != 0);
  return rc == -EBADF ? rc : -ENOENT;
}

int Follow(List* list, int fd, uint32_t events, uint32_t* generation) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list);
  if (entry != nullptr && entry->is_live) {
    const uint32_t before = *generation;
    *generation = entry->generation;
    // Another thread has replaced it, or the file is back.
    if (entry->generation != before || Ask(entry, fd) == -EEXIST) return 0;
    Condemn(lock, entry, fd, true);
  }
  const int rc = Enroll(lock, list, fd, events, true);
  *generation = lock.generation();
  return rc;
}

int Lose(List* list, int fd, uint32_t generation) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list, generation);
  if (entry == nullptr || !entry->is_live) return kStale;
  const int rc = Ask(entry, fd);
  if (rc != -EEXIST) Condemn(lock, entry, fd);
  return rc;
}

int Drop(List* list, int fd, uint32_t generation) {
  Lock lock(fd);
  Entry* entry = EntryOf(lock.slot(), list, generation);
  if (entry == nullptr || !entry->is_live) return kStale;
  const int rc = Ask(entry, fd);
  if (rc != -EEXIST) Unlink(lock.slot(), entry, fd);
  return rc;
}

uint32_t Find(List* list, int fd, bool* is_live, bool* follows) {
  Lock lock(fd);
  const Entry* entry = EntryOf(lock.slot(), list);
  const uint32_t generation = entry == nullptr ? 0 : entry->generation;
  *is_live = entry != nullptr && entry->is_live;
  *follows = generation != 0 && entry->follows;
  return generation;
}

void Judge(Lock& lock, int fd) {
  if (WordOf(lock.slot(), fd) == kAnother) lock.Renew();
}

void Expire(Slot& slot, int fd) {
  if (List* rung = slot.bell) {
    // First, or what is told below would be written to what the number comes to name.
    slot.bell = nullptr;
    SetBell(rung, -1);
    Release(rung);
  }
  for (Entry* entry = slot.entries; entry != nullptr; entry = entry->next) {
    if (entry->is_live) Ring(entry->list, fd);
    Bury(entry, fd);
  }
  if (slot.list == nullptr) return;
  List* list = slot.list;
  slot.list = nullptr;
  {
    Hold hold(list);
    list->epfd = -1;
    Retire(list, list->begun + 1);
  }
  Release(list);
}

void SetBell(List* list, int bell) {
  {
    Hold hold(list);
    list->bell = bell;
  }
  if (bell < 0) return;
  list->references.fetch_add(1, std::memory_order_relaxed);
  Lock lock(bell);
  lock.slot().bell = list;
}

int NextEnded(List* list) {
  Hold hold(list);
  if (list->ended.empty()) return -ENOENT;
  const int fd = list->ended.back();
  list->ended.pop_back();
  return fd;
}

int Leave(const Lock& lock, int fd) {
  Slot& slot = lock.slot();
  bool is_proven = false;
  bool is_stranger = false;
  for (Entry* entry = slot.entries; entry != nullptr;) {
    Entry* next = entry->next;
    List* list = entry->list;
    const int said = entry->witness != nullptr ? Ask(entry, fd) : -EEXIST;
    const int rc = said == -EEXIST ? Control(list, EPOLL_CTL_DEL, fd) : -ENOENT;
    // Of a number that was retired, or a list in which others delete, the kernel's no is no news.
    if (entry->is_live && !list->is_shared && list->epfd >= 0 && rc < 0) is_stranger = true;
    if (rc == 0 && entry->is_live) is_proven = true;
    if (entry->is_live) Ring(list, fd);
    // It is the number that ends, and with it what follows it.
    if (entry->follows) entry->generation = 0;
    if (list->epfd < 0 || list->is_shared) {
      Unlink(slot, entry, fd);
    } else if (rc == 0) {
      Forget(slot, entry, fd);
    } else {
      Bury(entry, fd);
    }
    entry = next;
  }
  return is_stranger && !is_proven ? -EBADF : 0;
}

}  // namespace genpoll::interest
