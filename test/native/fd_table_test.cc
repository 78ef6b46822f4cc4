// Threads that open, register, replace and close one another's descriptors through the table, each
// with an interest list of its own. Now and then all stand still, and the table is compared with
// what the kernel holds. In the first half of the time every close goes through the table, and the
// result of every call is known; in the second half some are made behind its back.
//
// Arguments: seed, seconds. Ends with 0 and the counts of what was done, or aborts at the first
// difference.

#include "../../src/fd_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "../../src/interest_list.h"
#include "../../src/syscall.h"

using namespace genpoll;
using fd_table::Lock;
using interest::Entry;
using interest::List;

namespace {

constexpr int kThreads = 4;
constexpr int kPlaces = 48;
constexpr int kTurns = 400;  // of each thread, between two comparisons
constexpr int kNumbers = 1024;

[[noreturn]] void Fail(int line, const char* condition, long a, long b = 0) {
  fprintf(stderr, "line %d: not %s (%ld, %ld)\n", line, condition, a, b);
  abort();
}
// After the condition: one or two numbers that tell what it was about.
#define CHECK(condition, ...) ((condition) ? (void)0 : Fail(__LINE__, #condition, __VA_ARGS__))

#define COUNTS(X)                                                                          \
  X(opened)                                                                                \
  X(duplicated) X(closed) X(behind) X(replaced) X(added) X(refused) X(modified) X(removed) \
      X(stale) X(lists) X(rebuilt) X(compared) X(evicted) X(stuck)
#define DECLARE(name) std::atomic<long> name{0};
#define PRINT(name) printf(#name " %ld\n", did.name.load());
struct {
  COUNTS(DECLARE)
} did;

std::atomic<bool> is_behind_allowed{false};
// The generation at which a number was closed behind the table's back.
std::atomic<uint32_t> behind[kNumbers];

// An owned descriptor: its number, and the generation at which it was taken over.
struct Owned {
  int32_t fd;
  uint32_t since;  // 0: there is none
};
// Whoever takes one out of its place is the one to close or replace it. The others go on using its
// number meanwhile.
std::atomic<Owned> places[kPlaces];
std::atomic<Owned> epolls[kThreads];

bool IsOwned(const Lock& lock, Owned owned) {
  return lock.slot().owner != 0 && lock.slot().since == owned.since;
}

Owned Own(int fd) {
  CHECK(fd >= 0 && fd < kNumbers, fd);
  Lock lock(fd);
  CHECK(lock.slot().owner == 0, fd);
  lock.slot().owner = 1;
  lock.slot().since = lock.generation();
  return {fd, lock.generation()};
}

// The generation of a descriptor, or 0 if somebody has closed it.
uint32_t GenerationOf(Owned owned) {
  Lock lock(owned.fd);
  return IsOwned(lock, owned) ? lock.generation() : 0;
}

void Close(Owned owned) {
  {
    Lock lock(owned.fd);
    CHECK(IsOwned(lock, owned), owned.fd);
    const uint32_t generation = lock.generation();
    CHECK(interest::Leave(lock, owned.fd) == 0, owned.fd, generation);
    lock.Renew();
    CHECK(!lock.IsCurrent(generation), owned.fd, generation);
  }
  CHECK(Syscall(SYS_close, owned.fd) == 0, owned.fd);
  did.closed++;
}

void CloseBehind(Owned owned) {
  behind[owned.fd] = GenerationOf(owned);
  CHECK(Syscall(SYS_close, owned.fd) == 0, owned.fd);
  did.behind++;
}

int CountDescriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) count++;
  closedir(folder);
  return count;
}

// A thread's interest list and what it has put there, as lib/interest-list.ts keeps it.
class Watcher {
 public:
  Watcher(unsigned seed, int index) : random_(seed), index_(index) { OpenList(); }
  ~Watcher() { CloseList(); }

  void Turn() {
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

  // These while all threads stand still.
  void Settle();
  void Evict();
  void Compare() const;

 private:
  struct Watch {
    uint32_t generation;
    uint32_t events;
  };

  int Below(int limit) { return static_cast<int>(random_() % limit); }
  uint32_t Mask() {
    constexpr uint32_t kMasks[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLOUT | EPOLLRDHUP};
    return kMasks[Below(3)];
  }
  std::atomic<Owned>& Place() { return places[Below(kPlaces)]; }

  void OpenList() {
    epoll_ = Own(fd_table::Opened(Syscall(SYS_epoll_create1, EPOLL_CLOEXEC)));
    list_ = interest::Open(epoll_.fd, false);
    epolls[index_] = epoll_;
    did.lists++;
  }

  void CloseList() {
    epolls[index_] = Owned{};
    Close(epoll_);
    interest::Release(list_);
    watched_.clear();
  }

  Owned Make() {
    const Owned other = Place();
    int dup = -1;
    if (other.since != 0 && Below(2) == 0) {
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

  void Exchange() {
    const Owned former = Place().exchange(Below(3) == 0 ? Owned{} : Make());
    if (former.since == 0) return;
    if (is_behind_allowed && Below(4) == 0) {
      CloseBehind(former);
    } else {
      Close(former);
    }
  }

  void Replace() {
    const Owned original = Place().exchange({});
    std::atomic<Owned>& place = Place();
    const Owned owned = place.exchange({});
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

  // One of the epolls behind ours, so that none comes to watch itself, or any other descriptor.
  Owned Target() {
    const int index = Below(10 * kThreads);
    return index > index_ && index < kThreads ? epolls[index] : Place();
  }

  void Add() {
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

  // What a registration's generation has become in other threads' hands, or 0.
  uint32_t Learn(int fd) {
    bool is_current;
    const uint32_t newest = interest::Find(list_, fd, &is_current);
    return is_current ? newest : 0;
  }

  void ModifyOrRemove(bool is_modify) {
    if (watched_.empty()) return;
    auto found = watched_.lower_bound(Below(watched_.rbegin()->first + 1));
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
      did.modified++;
      if (rc == 0) watch.events = events;
    } else {
      did.removed++;
      watched_.erase(found);
    }
  }

  void Rebuild() {
    std::vector<int32_t> triples;
    for (auto& [fd, watch] : watched_) {
      watch.generation = Learn(fd);
      // Judged first, as lib/ does: what was closed behind the table's back isn't carried over.
      if (watch.generation == 0 || behind[fd] == watch.generation) continue;
      triples.push_back(static_cast<int32_t>(watch.events));
      triples.push_back(fd);
      triples.push_back(static_cast<int32_t>(watch.generation));
    }
    const int rc =
        interest::Rebuild(list_, triples.data(), static_cast<int>(triples.size() / 3), -1);
    CHECK(rc == 0, epoll_.fd, rc);
    did.rebuilt++;
  }

  std::mt19937 random_;
  const int index_;
  Owned epoll_;
  List* list_;
  std::map<int, Watch> watched_;
};

// An entry of an interest list as /proc shows it.
struct KernelEntry {
  int fd;
  uint64_t token;
  uint32_t events;
};

std::vector<KernelEntry> KernelEntries(int epfd) {
  std::vector<KernelEntry> entries;
  char line[256];
  snprintf(line, sizeof line, "/proc/self/fdinfo/%d", epfd);
  FILE* file = fopen(line, "re");
  CHECK(file != nullptr, epfd);
  while (fgets(line, sizeof line, file) != nullptr) {
    KernelEntry entry;
    unsigned long long token;
    if (sscanf(line, "tfd: %d events: %x data: %llx", &entry.fd, &entry.events, &token) != 3)
      continue;
    entry.token = token;
    entries.push_back(entry);
  }
  fclose(file);
  return entries;
}

// Each living entry of a list by its token.
std::map<uint64_t, uint32_t> LivingEntries(const List* list, int* references) {
  std::map<uint64_t, uint32_t> living;
  for (int fd = 0; fd < kNumbers; fd++) {
    Lock lock(fd);
    for (const Entry* entry = lock.slot().entries; entry != nullptr; entry = entry->next) {
      if (entry->list != list) continue;
      ++*references;
      if (!entry->is_live) continue;
      CHECK(lock.IsCurrent(entry->generation), fd, entry->generation);
      CHECK(
          living.emplace(interest::internal::TokenOf(fd, entry->generation), entry->events).second,
          fd);
    }
  }
  return living;
}

// The kernel's word for numbers that were closed behind the table's back, as `Registration.verify`
// takes it.
void Watcher::Settle() {
  for (const auto& [fd, watch] : watched_) {
    Lock lock(fd);
    if (behind[fd] == lock.generation()) lock.Renew();
  }
}

// Deletes what nobody is registered for any more: by itself, or if that can't be, with a rebuild.
void Watcher::Evict() {
  int references;
  const auto living = LivingEntries(list_, &references);
  bool is_stuck = false;
  for (const auto& [fd, token, events] : KernelEntries(epoll_.fd)) {
    if (living.count(token) != 0) continue;
    CHECK(is_behind_allowed, fd, static_cast<long>(token >> 32));
    if (interest::Evict(list_, fd, token >> 32, true) == 1) {
      did.evicted++;
    } else {
      is_stuck = true;
      did.stuck++;
    }
  }
  if (is_stuck) Rebuild();
}

void Watcher::Compare() const {
  int references = 2;  // ours, and that of the epoll's own slot
  auto living = LivingEntries(list_, &references);
  CHECK(list_->size == static_cast<int>(living.size()), list_->size, living.size());
  CHECK(list_->references == references, list_->references, references);
  for (const auto& [fd, token, events] : KernelEntries(epoll_.fd)) {
    const auto entry = living.find(token);
    CHECK(entry != living.end() && static_cast<uint32_t>(token) == static_cast<uint32_t>(fd), fd,
          static_cast<long>(token >> 32));
    CHECK(events == (entry->second | EPOLLERR | EPOLLHUP), fd, events);
    living.erase(entry);
  }
  CHECK(living.empty(), static_cast<int32_t>(living.begin()->first), living.begin()->first >> 32);
  did.compared++;
}

std::vector<std::unique_ptr<Watcher>> watchers;
pthread_barrier_t barrier;
std::atomic<bool> is_over{false};

void* Run(void* argument) {
  Watcher& watcher = *static_cast<Watcher*>(argument);
  while (!is_over) {
    for (int i = 0; i < kTurns; i++) watcher.Turn();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
  }
  return nullptr;
}

}  // namespace

int main(int, char** arguments) {
  const auto seed = static_cast<unsigned>(atol(arguments[1]));
  const double seconds = atof(arguments[2]);
  CHECK(fd_table::Init(), 0);
  const int before = CountDescriptors();
  pthread_barrier_init(&barrier, nullptr, kThreads + 1);
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; i++) watchers.push_back(std::make_unique<Watcher>(seed + i, i));
  for (int i = 0; i < kThreads; i++) pthread_create(&threads[i], nullptr, Run, watchers[i].get());

  const auto start = std::chrono::steady_clock::now();
  while (!is_over) {
    pthread_barrier_wait(&barrier);
    for (auto& watcher : watchers) watcher->Settle();
    for (auto& watcher : watchers) watcher->Evict();
    for (auto& watcher : watchers) watcher->Compare();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    is_behind_allowed = elapsed.count() > seconds / 2;
    is_over = elapsed.count() > seconds;
    pthread_barrier_wait(&barrier);
  }

  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  for (auto& place : places) {
    if (place.load().since != 0) Close(place);
  }
  watchers.clear();
  // With its lists closed a number has nothing to leave, and forgets them.
  for (int fd = 0; fd < kNumbers; fd++) {
    Lock lock(fd);
    interest::Leave(lock, fd);
    CHECK(lock.slot().entries == nullptr && lock.slot().list == nullptr, fd);
  }
  CHECK(CountDescriptors() == before, CountDescriptors(), before);
  COUNTS(PRINT)
}
