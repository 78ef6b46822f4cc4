// Deleting an entry of an interest list whose number doesn't name its file any more. epoll_ctl(2)
// finds an entry by file and number: the file has to come back under the number, but not in the
// table of descriptors that the other threads use. So it is done by a thread with a table of its
// own.

#include "evict.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include <cerrno>

#include "syscall.h"
#include "witness.h"

namespace genpoll::evict {

using interest::ProbeEpoll;

namespace {

// The same everywhere, and missing from older headers.
constexpr long kPidfdOpen = 434;
constexpr long kCloseRange = 436;
constexpr long kPidfdGetfd = 438;
constexpr int kCloseRangeUnshare = 2;

struct Order {
  int epfd;
  int living;
  int fd;
  int dup;
  int result;
};

// Takes a descriptor of the process, under a number that isn't `fd`, which is about to be taken.
int Beside(int fd, int process, int theirs) {
  const int made = Syscall(kPidfdGetfd, process, theirs, 0);
  return made == fd ? Syscall(SYS_dup, made) : made;
}

int Delete(const Order& order) {
  const int rc = Syscall(kCloseRange, 0, ~0u, kCloseRangeUnshare);
  if (rc < 0) return rc;
  int process = Syscall(kPidfdOpen, Syscall(SYS_getpid), 0);
  if (process == order.fd) process = Syscall(SYS_dup, process);
  if (process < 0) return process;
  const int epfd = Beside(order.fd, process, order.epfd);
  if (epfd < 0) return epfd;
  const int living = order.living < 0 ? -1 : Beside(order.fd, process, order.living);
  if (order.living >= 0 && living < 0) return living;
  const int dup = Syscall(kPidfdGetfd, process, order.dup, 0);
  if (dup < 0) return dup;
  // EINVAL: it got the number by itself.
  const int placed = Syscall(SYS_dup3, dup, order.fd, O_CLOEXEC);
  if (placed < 0 && placed != -EINVAL) return placed;
  bool is_left;
  if (living >= 0 && ProbeEpoll(living, order.fd, 0, &is_left) == -EEXIST) return -ENOENT;
  return Syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, order.fd, nullptr);
}

void* Run(void* argument) {
  auto* order = static_cast<Order*>(argument);
  order->result = Delete(*order);
  return nullptr;
}

}  // namespace

int DeleteByDup(int epfd, int living, int fd, int dup) {
  // No signal may be handled there: a handler that writes to a descriptor wouldn't find it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Order order = {epfd, living, fd, dup, -EAGAIN};
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, Run, &order);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return -error;
  pthread_join(thread, nullptr);
  return order.result;
}

}  // namespace genpoll::evict
