#ifndef GENPOLL_TEST_NATIVE_OWNED_H_
#define GENPOLL_TEST_NATIVE_OWNED_H_

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../../src/fd_table.h"

// What the threads of the test share: descriptors that are owned, as lib/fd.ts owns them, and
// counts of what was done.

[[noreturn]] inline void Fail(const char* file, int line, const char* condition, long a,
                              long b = 0) {
  fprintf(stderr, "%s:%d: not %s (%ld, %ld)\n", file, line, condition, a, b);
  abort();
}
// After the condition: one or two numbers that tell what it was about.
#define CHECK(condition, ...) \
  ((condition) ? (void)0 : Fail(__FILE__, __LINE__, #condition, __VA_ARGS__))

#define COUNTS(X)                                                                          \
  X(opened)                                                                                \
  X(duplicated) X(closed) X(behind) X(replaced) X(added) X(refused) X(modified) X(removed) \
      X(stale) X(lists) X(rebuilt) X(compared) X(evicted) X(stuck)
#define DECLARE_COUNT(name) std::atomic<long> name{0};
inline struct Counts {
  COUNTS(DECLARE_COUNT)
} did;

constexpr int kThreads = 4;
constexpr int kPlaces = 48;
constexpr int kNumbers = 1024;

// A number, and the generation at which it was taken over.
struct Owned {
  int32_t fd;
  uint32_t since;  // 0: there is none
};

// Whoever takes a descriptor out of its place is the one to close or replace it. The others go on
// using its number meanwhile.
inline std::atomic<Owned> places[kPlaces];
// The epoll of each thread.
inline std::atomic<Owned> epolls[kThreads];

inline std::atomic<bool> is_behind_allowed{false};
// The generation at which a number was closed behind the table's back.
inline std::atomic<uint32_t> behind[kNumbers];

inline bool IsOwned(const genpoll::fd_table::Lock& lock, Owned owned) {
  return lock.slot().owner != 0 && lock.slot().since == owned.since;
}

Owned Own(int fd);
// Its generation now, or 0 if somebody has closed it.
uint32_t GenerationOf(Owned owned);
void Close(Owned owned);
void CloseBehind(Owned owned);

#endif  // GENPOLL_TEST_NATIVE_OWNED_H_
