// The entries of one number in the interest lists.

#include <sys/epoll.h>

#include <cerrno>

#include "interest_list.h"
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

void Bury(Entry* entry, int fd) {
  if (!entry->is_live) return;
  List* list = entry->list;
  list->size.fetch_sub(1, std::memory_order_relaxed);
  entry->is_live = false;
  entry->begun = list->begun;
  Dismiss(entry, fd);
}

void Unlink(Slot& slot, Entry* entry, int fd) {
  Entry** link = &slot.entries;
  while (*link != entry) link = &(*link)->next;
  *link = entry->next;
  Bury(entry, fd);
  Release(entry->list);
  delete entry;
}

void Ring(List* list, int fd) {
  if (list->bell.load(std::memory_order_relaxed) < 0) return;
  Hold hold(list);
  const uint64_t one = 1;
  // Rung once for all that haven't been asked for.
  if (list->bell >= 0 && list->ended.empty())
    Syscall(SYS_write, list->bell.load(), &one, sizeof one);
  list->ended.push_back(fd);
}

void Forget(Slot& slot, Entry* entry, int fd) {
  if (entry->is_several) {
    Bury(entry, fd);
    entry->file = 0;
  } else {
    Unlink(slot, entry, fd);
  }
}

Word WordOf(const Slot& slot, int fd, const Entry* but) {
  for (Entry* entry = slot.entries; entry != nullptr; entry = entry->next) {
    if (!entry->is_live || entry == but) continue;
    const int rc = Ask(entry, fd);
    if (rc == -EEXIST || rc == -ENOENT) return kSame;
    if (rc != kStale && !entry->list->is_shared) return kAnother;
  }
  return kNothing;
}

void Condemn(Lock& lock, Entry* entry, int fd, bool keeps_owner) {
  Bury(entry, fd);
  // What is registered under the number next mustn't have the token of what may be left in the
  // kernel.
  if (lock.IsCurrent(entry->generation) && WordOf(lock.slot(), fd) != kSame) {
    lock.Renew(keeps_owner);
  }
}

namespace {

void Withdraw(Slot& slot, Entry* entry, int fd) {
  if (Control(entry->list, EPOLL_CTL_DEL, fd) == 0) {
    Forget(slot, entry, fd);
  } else {
    Bury(entry, fd);
  }
}

// Forgets what isn't in the kernel any more, and of the dead entries in one list all but the
// newest: a number that is recycled again and again behind our back must not pile them up.
void Prune(Slot& slot, const List* list, int fd) {
  // Those are dead: who adds one has none that is alive.
  Entry* newest = nullptr;
  for (Entry* entry = slot.entries; entry != nullptr;) {
    Entry* next = entry->next;
    const bool is_here = entry->list == list;
    if (entry->list->epfd < 0 || (!entry->is_live && entry->begun < entry->list->rebuilt)) {
      Unlink(slot, entry, fd);
    } else if (is_here && newest != nullptr) {
      newest->is_several = true;
      Unlink(slot, entry, fd);
    } else if (is_here) {
      newest = entry;
    }
    entry = next;
  }
}

}  // namespace

int Enroll(Lock& lock, List* list, int fd, uint32_t events, bool follows, uint32_t expected) {
  Slot& slot = lock.slot();
  if (slot.entries != nullptr) Prune(slot, list, fd);
  Entry* dead = EntryOf(slot, list);
  int rc = Control(list, EPOLL_CTL_ADD, fd, events, TokenOf(fd, lock.generation()));
  if (rc == -EEXIST && dead != nullptr) {
    // Not modified: that isn't allowed with EPOLLEXCLUSIVE.
    if (Control(list, EPOLL_CTL_DEL, fd) == 0) Forget(slot, dead, fd);
    rc = Control(list, EPOLL_CTL_ADD, fd, events, TokenOf(fd, lock.generation()));
  }
  if (rc < 0) return rc;
  const bool is_alone = EntryOf(slot, list) == nullptr;
  list->references.fetch_add(1, std::memory_order_relaxed);
  list->size.fetch_add(1, std::memory_order_relaxed);
  auto* entry = new Entry{list, lock.generation(), events,      slot.file, follows, true, false,
                          0,    nullptr,           slot.entries};
  slot.entries = entry;
  // Asked afterwards, so that what was added can't be newer than the answer.
  if (entry->next != nullptr && WordOf(slot, fd, entry) == kAnother) {
    Withdraw(slot, entry, fd);
    lock.Renew();
    return expected != 0 ? kStale : Enroll(lock, list, fd, events, follows);
  }
  // Who owns the number knows what it names.
  const bool is_optional = slot.owner != 0 && !slot.is_worn;
  rc = is_alone ? 0 : Attest(entry, fd);
  if (rc == 0 || is_optional) return 0;
  Withdraw(slot, entry, fd);
  return rc;
}

}  // namespace internal

}  // namespace genpoll::interest
