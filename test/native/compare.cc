// The table beside what /proc says.

#include <sys/epoll.h>

#include <map>
#include <vector>

#include "watcher.h"

using namespace genpoll;
using fd_table::Lock;

namespace {

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
    int fd;
    unsigned events;
    unsigned long long token;
    if (sscanf(line, "tfd: %d events: %x data: %llx", &fd, &events, &token) == 3) {
      entries.push_back({fd, token, events});
    }
  }
  fclose(file);
  return entries;
}

// The masks of the living entries of a list, by token; and how many there are with the dead ones.
std::map<uint64_t, uint32_t> LivingEntries(const interest::List* list, int* total) {
  std::map<uint64_t, uint32_t> living;
  for (int fd = 0; fd < kNumbers; fd++) {
    Lock lock(fd);
    for (const auto* entry = lock.slot().entries; entry != nullptr; entry = entry->next) {
      if (entry->list != list) continue;
      ++*total;
      if (!entry->is_live) continue;
      CHECK(lock.IsCurrent(entry->generation), fd, entry->generation);
      const uint64_t token = interest::internal::TokenOf(fd, entry->generation);
      CHECK(living.emplace(token, entry->events).second, fd, entry->generation);
    }
  }
  return living;
}

}  // namespace

void Watcher::Settle() {
  for (const auto& [fd, watch] : watched_) {
    Lock lock(fd);
    if (behind[fd] == lock.generation()) lock.Renew();
  }
}

void Watcher::Evict() {
  int total = 0;
  const auto living = LivingEntries(list_, &total);
  bool is_stuck = false;
  for (const auto& [fd, token, events] : KernelEntries(epoll_.fd)) {
    if (living.count(token) != 0) continue;
    // As long as every close goes through the table there is nothing to evict.
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
  int total = 0;
  auto living = LivingEntries(list_, &total);
  CHECK(list_->size == static_cast<int>(living.size()), list_->size, living.size());
  // One each, ours, and that of the epoll's own slot.
  CHECK(list_->references == total + 2, list_->references, total);
  for (const auto& [fd, token, events] : KernelEntries(epoll_.fd)) {
    const auto entry = living.find(token);
    CHECK(entry != living.end(), fd, static_cast<long>(token >> 32));
    CHECK(static_cast<uint32_t>(token) == static_cast<uint32_t>(fd), fd, token);
    CHECK(events == (entry->second | EPOLLERR | EPOLLHUP), fd, events);
    living.erase(entry);
  }
  for (const auto& [token, events] : living) CHECK(events == 0, static_cast<int32_t>(token));
  did.compared++;
}
