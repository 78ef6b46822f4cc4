#include "watcher.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <vector>

#include "../../src/syscall.h"

using namespace genpoll;
using fd_table::Lock;

Watcher::Watcher(unsigned seed, int index) : random_(seed), index_(index) { OpenList(); }

Watcher::~Watcher() { CloseList(); }

void Watcher::Turn() {
  const int dice = Below(1000);
  if (dice < 200) {
    Exchange();
  } else if (dice < 300) {
    Replace();
  } else if (dice < 700) {
    Add();
  } else if (dice < 970) {
    ModifyOrRemove(dice % 3 == 0);
  } else if (dice < 998) {
    Rebuild();
  } else {
    CloseList();
    OpenList();
  }
}

uint32_t Watcher::Mask() {
  constexpr uint32_t kMasks[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLOUT | EPOLLRDHUP};
  return kMasks[Below(3)];
}

void Watcher::OpenList() {
  epoll_ = Own(fd_table::Opened(Syscall(SYS_epoll_create1, EPOLL_CLOEXEC)));
  list_ = interest::Open(epoll_.fd, false);
  epolls[index_] = epoll_;
  did.lists++;
}

void Watcher::CloseList() {
  epolls[index_] = Owned{};
  Close(epoll_);
  interest::Release(list_);
  watched_.clear();
}

// A new eventfd, or another number for a file that has one.
Owned Watcher::Make() {
  const Owned other = Place();
  int dup = -1;
  if (other.since != 0 && Below(4) > 0) {
    // Locked, so that it isn't closed and its number given to something else.
    Lock lock(other.fd);
    if (IsOwned(lock, other)) dup = Syscall(SYS_fcntl, other.fd, F_DUPFD_CLOEXEC, 0);
  }
  if (dup >= 0) {
    did.duplicated++;
    return Own(fd_table::Duplicated(dup, other.fd));
  }
  did.opened++;
  return Own(fd_table::Opened(Syscall(SYS_eventfd2, 1, EFD_CLOEXEC | EFD_NONBLOCK)));
}

void Watcher::Exchange() {
  const Owned former = Place().exchange(Below(3) == 0 ? Owned{} : Make());
  if (former.since == 0) return;
  if (is_behind_allowed && Below(4) == 0) {
    CloseBehind(former);
  } else {
    Close(former);
  }
}

void Watcher::Replace() {
  const Owned original = Place().exchange({});
  const Owned owned = Place().exchange({});
  if (owned.since != 0 && original.since != 0) {
    const uint32_t before = GenerationOf(owned);
    const int rc = interest::Replace(original.fd, owned.fd, O_CLOEXEC, true);
    CHECK(rc == owned.fd, owned.fd, rc);
    CHECK(GenerationOf(owned) != 0 && GenerationOf(owned) != before, owned.fd, before);
    did.replaced++;
  }
  for (const Owned taken : {original, owned}) {
    const Owned former = taken.since == 0 ? taken : Place().exchange(taken);
    if (former.since != 0) Close(former);
  }
}

// Mostly any descriptor, sometimes one of the epolls behind ours: so none comes to watch itself.
Owned Watcher::Target() {
  const int index = Below(10 * kThreads);
  return index > index_ && index < kThreads ? epolls[index] : Place();
}

void Watcher::Add() {
  const Owned owned = Target();
  const uint32_t expected = owned.since == 0 ? 0 : GenerationOf(owned);
  if (expected == 0) return;
  uint32_t generation = expected;
  uint32_t findings;
  const uint32_t events = Mask();
  const int rc = interest::Add(list_, owned.fd, events, false, &generation, &findings);
  if (rc == 0) {
    CHECK(generation == expected, owned.fd, expected);
    watched_[owned.fd] = {generation, events};
    did.added++;
    return;
  }
  const bool is_known = rc == -EEXIST && watched_.count(owned.fd) != 0;
  const bool is_closed = rc == -EBADF && is_behind_allowed;
  CHECK(rc == interest::kStale || is_known || is_closed, owned.fd, rc);
  did.refused++;
}

// What the generation of a registration has become in other threads' hands, or 0.
uint32_t Watcher::Learn(int fd) {
  bool is_current;
  bool follows;
  const uint32_t newest = interest::Find(list_, fd, &is_current, &follows);
  return is_current ? newest : 0;
}

void Watcher::ModifyOrRemove(bool is_modify) {
  if (watched_.empty()) return;
  const auto found = watched_.lower_bound(Below(watched_.rbegin()->first + 1));
  const int fd = found->first;
  Watch& watch = found->second;
  const uint32_t events = Mask();
  const int rc = is_modify ? interest::Modify(list_, fd, watch.generation, events)
                           : interest::Remove(list_, fd, watch.generation);
  if (rc == interest::kStale) {
    did.stale++;
    watch.generation = Learn(fd);
    if (watch.generation == 0) watched_.erase(found);
    return;
  }
  CHECK(rc == 0 || ((rc == -EBADF || rc == -ENOENT) && is_behind_allowed), fd, rc);
  if (is_modify) {
    if (rc == 0) watch.events = events;
    did.modified++;
  } else {
    watched_.erase(found);
    did.removed++;
  }
}

void Watcher::Rebuild() {
  std::vector<int32_t> triples;
  for (auto& [fd, watch] : watched_) {
    watch.generation = Learn(fd);
    // Judged first, as lib/ does: what was closed behind the table's back isn't carried over.
    if (watch.generation == 0 || behind[fd] == watch.generation) continue;
    for (const uint32_t word : {watch.events, static_cast<uint32_t>(fd), watch.generation}) {
      triples.push_back(static_cast<int32_t>(word));
    }
  }
  const int count = static_cast<int>(triples.size() / 3);
  bool is_made;
  const int rc = interest::Rebuild(list_, triples.data(), count, -1, &is_made);
  CHECK(rc == 0, epoll_.fd, rc);
  did.rebuilt++;
}
