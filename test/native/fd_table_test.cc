// Threads that open, register, replace and close one another's descriptors through the table, each
// with an interest list of its own. Now and then all stand still, and the table is compared with
// what the kernel holds. In the first half of the time every close goes through the table, and the
// result of every call is known; in the second half some are made behind its back.
//
// Arguments: seed, seconds. Ends with 0 and the counts of what was done, or aborts at the first
// difference.

#include <dirent.h>
#include <pthread.h>

#include <chrono>
#include <memory>
#include <vector>

#include "watcher.h"

using namespace genpoll;

namespace {

// What each thread does between two comparisons.
constexpr int kTurns = 400;

pthread_barrier_t barrier;
std::atomic<bool> is_over{false};

void* Run(void* argument) {
  auto* watcher = static_cast<Watcher*>(argument);
  while (!is_over) {
    for (int i = 0; i < kTurns; i++) watcher->Turn();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
  }
  return nullptr;
}

int CountDescriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) count++;
  closedir(folder);
  return count;
}

}  // namespace

int main(int, char** arguments) {
  const auto seed = static_cast<unsigned>(atol(arguments[1]));
  const double seconds = atof(arguments[2]);
  CHECK(fd_table::Init(), 0);
  const int before = CountDescriptors();
  pthread_barrier_init(&barrier, nullptr, kThreads + 1);
  pthread_t threads[kThreads];
  std::vector<std::unique_ptr<Watcher>> watchers;
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
  for (int fd = 0; fd < kNumbers; fd++) {
    fd_table::Lock lock(fd);
    // Its lists are closed, so that it forgets them. What is left then has leaked.
    interest::Leave(lock, fd);
    CHECK(lock.slot().entries == nullptr && lock.slot().list == nullptr, fd);
  }
  CHECK(CountDescriptors() == before, CountDescriptors(), before);
#define PRINT_COUNT(name) printf(#name " %ld\n", did.name.load());
  COUNTS(PRINT_COUNT)
}
