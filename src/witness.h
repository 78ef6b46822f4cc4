#ifndef GENPOLL_WITNESS_H_
#define GENPOLL_WITNESS_H_

#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>
#include <unordered_set>

#include "syscall.h"

// Whether a number still names the file that was registered is asked of the interest list itself,
// and that answers yes if it has *an* entry for what the number names. Where the entry of a former
// file may be left under the same number, that isn't enough: the number may have gone back to that
// file. Such an entry has another in a second epoll, where it is alone under its number, and that
// is asked instead. An entry keeps no file open, as a dup would.

namespace genpoll::interest {

struct Entry;
struct List;

// An epoll that never has two entries under one number. Under the mutex of its list.
struct Witness {
  int epfd;                         // -1 once nobody needs it
  int begun;                        // the rebuilds of the list that had begun when it was made
  int size = 0;                     // the entries that it speaks for
  std::unordered_set<int> numbers;  // that have an entry there, or may have
};

// Reserved data for an entry that is there only while a question is asked. Its generation is 0.
constexpr uint64_t kProbe = 0xffffffff;

inline int ControlEpoll(int epfd, int op, int fd, uint32_t events, uint64_t token) {
  epoll_event event;
  event.events = events;
  event.data.u64 = token;
  return Syscall(SYS_epoll_ctl, epfd, op, fd, &event);
}

// -EEXIST if an epoll has an entry for what a number names. `*is_left`: the number was closed or
// recycled within the question, whose entry is left behind.
inline int ProbeEpoll(int epfd, int fd, uint32_t events, bool* is_left) {
  const int rc = ControlEpoll(epfd, EPOLL_CTL_ADD, fd, events, kProbe);
  if (rc == 0 && ControlEpoll(epfd, EPOLL_CTL_DEL, fd, 0, 0) < 0) *is_left = true;
  return rc;
}

// Gives an entry a witness, while its number names its file for certain. 0 or -errno.
int Attest(Entry* entry, int fd);
// It needs none any more.
void Dismiss(Entry* entry, int fd);
// Those of a list that were made before its rebuild number `begun` aren't needed any more. Under
// its mutex.
void Retire(List* list, int begun);

}  // namespace genpoll::interest

#endif  // GENPOLL_WITNESS_H_
