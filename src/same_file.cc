// Whether two descriptors name one open file, for kernels and sandboxes without F_DUPFD_QUERY and
// kcmp: an epoll keys its entries on file and number.

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>

#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

int32_t Add(int epfd, int fd) {
  epoll_event event = {};
  return Syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &event);
}

// Puts both files under one number in turn; `number` is ours, and never free in between.
int32_t Compare(int epfd, int number, int other) {
  const int32_t first = Add(epfd, number);
  const int32_t rc = Syscall(SYS_dup3, other, number, O_CLOEXEC);
  if (rc < 0) return rc;
  const int32_t second = Add(epfd, number);
  if (first == 0) return second == -EEXIST;
  // What can't be polled differs from what can; two that can't may be one.
  return second == 0 ? 0 : -EOPNOTSUPP;
}

int32_t SameFileEpoll(State&, int32_t a, int32_t b) {
  const int number = fd_table::Opened(Syscall(SYS_fcntl, a, F_DUPFD_CLOEXEC, 0));
  if (number < 0) return number;
  const int epfd = fd_table::Opened(Syscall(SYS_epoll_create1, EPOLL_CLOEXEC));
  const int32_t result = epfd < 0 ? epfd : Compare(epfd, number, b);
  for (int fd : {number, epfd}) {
    if (fd < 0) continue;
    fd_table::Renew(fd);
    Syscall(SYS_close, fd);
  }
  return result;
}

}  // namespace

const Export kSameFileExports[] = {
    {"same_file_epoll", Call<SameFileEpoll>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
