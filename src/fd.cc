// Descriptors: read, write, close, duplicate, flags, kcmp, and ownership by an environment.

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

template <long Number>
int32_t Transfer(State& state, int32_t fd, int32_t offset, int32_t length) {
  const size_t start = static_cast<uint32_t>(offset);
  const size_t count = static_cast<uint32_t>(length);
  if (start > state.buffer.length || count > state.buffer.length - start) return -EINVAL;
  int32_t rc;
  do {
    rc = Syscall(Number, fd, state.buffer.data + start, count);
  } while (rc == -EINTR);
  return rc;
}

// Linux has let go of the descriptor even when it answers EINTR; a retry could close a stranger.
int32_t CloseNumber(int32_t fd) {
  const int32_t rc = Syscall(SYS_close, fd);
  return rc == -EINTR ? 0 : rc;
}

// The two calls that change a descriptor by its token. The lock keeps the number from being
// recycled between the check and the change.
template <typename Change>
int32_t IfCurrent(int32_t fd, int32_t generation, Change change) {
  fd_table::Lock lock(fd);
  if (!lock.IsCurrent(static_cast<uint32_t>(generation))) return -EBADF;
  return change();
}

int32_t Read(State& state, int32_t fd, int32_t offset, int32_t length) {
  return Transfer<SYS_read>(state, fd, offset, length);
}

int32_t Write(State& state, int32_t fd, int32_t offset, int32_t length) {
  return Transfer<SYS_write>(state, fd, offset, length);
}

// eventfds and timerfds transfer one 64-bit word, in native byte order.
int32_t ReadU64(State& state, int32_t fd) {
  int32_t rc;
  do {
    rc = Syscall(SYS_read, fd, &state.wide[0], sizeof(uint64_t));
  } while (rc == -EINTR);
  return rc;
}

int32_t WriteU64(State& state, int32_t fd) {
  int32_t rc;
  do {
    rc = Syscall(SYS_write, fd, &state.wide[0], sizeof(uint64_t));
  } while (rc == -EINTR);
  return rc;
}

int32_t Close(State&, int32_t fd) {
  // Before the close: once it is done, another thread may be given the number.
  fd_table::Bump(fd);
  return CloseNumber(fd);
}

int32_t Dup(State&, int32_t fd) { return fd_table::Opened(Syscall(SYS_dup, fd)); }

int32_t DupCloexec(State&, int32_t fd) {
  return fd_table::Opened(Syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0));
}

int32_t Dup3(State&, int32_t old_fd, int32_t new_fd, int32_t flags) {
  return fd_table::Opened(Syscall(SYS_dup3, old_fd, new_fd, flags));
}

int32_t Pipe2(State& state, int32_t flags) {
  int32_t* fds = &state.registers[1];
  const int32_t rc = Syscall(SYS_pipe2, fds, flags);
  if (rc < 0) return rc;
  for (int i = 0; i < 2; i++) fd_table::Bump(fds[i]);
  return 0;
}

int32_t Socketpair(State& state, int32_t domain, int32_t type, int32_t protocol) {
  int32_t* fds = &state.registers[1];
  const int32_t rc = Syscall(SYS_socketpair, domain, type, protocol, fds);
  if (rc < 0) return rc;
  for (int i = 0; i < 2; i++) fd_table::Bump(fds[i]);
  return 0;
}

int32_t Fcntl(State&, int32_t fd, int32_t command, int32_t argument) {
  return Syscall(SYS_fcntl, fd, command, argument);
}

int32_t IoctlFionbio(State&, int32_t fd, int32_t on) {
  return Syscall(SYS_ioctl, fd, FIONBIO, &on);
}

int32_t IoctlFioclex(State&, int32_t fd) { return Syscall(SYS_ioctl, fd, FIOCLEX); }

int32_t IoctlFionclex(State&, int32_t fd) { return Syscall(SYS_ioctl, fd, FIONCLEX); }

int32_t IoctlFionread(State&, int32_t fd) {
  int count = 0;
  const int32_t rc = Syscall(SYS_ioctl, fd, FIONREAD, &count);
  return rc < 0 ? rc : count;
}

int32_t Kcmp(State&, int32_t pid1, int32_t pid2, int32_t type, int32_t index1, int32_t index2) {
  return Syscall(SYS_kcmp, pid1, pid2, type, index1, index2);
}

int32_t KcmpEpoll(State&, int32_t pid1, int32_t pid2, int32_t index1, int32_t efd, int32_t tfd,
                  int32_t toff) {
  constexpr int kKcmpEpollTfd = 7;
  uint32_t slot[3] = {static_cast<uint32_t>(efd), static_cast<uint32_t>(tfd),
                      static_cast<uint32_t>(toff)};
  return Syscall(SYS_kcmp, pid1, pid2, kKcmpEpollTfd, index1, slot);
}

int32_t FdOwn(State& state, int32_t fd) {
  int32_t rc = Syscall(SYS_fcntl, fd, F_GETFD, 0);
  if (rc < 0) return rc;
  rc = fd_table::Own(fd, state.id);
  if (rc == 0 && fd >= state.owned_limit) state.owned_limit = fd + 1;
  return rc;
}

int32_t FdRetire(State&, int32_t fd) {
  fd_table::Bump(fd);
  return 0;
}

int32_t FdClose(State&, int32_t fd, int32_t generation) {
  {
    fd_table::Lock lock(fd);
    if (!lock.IsCurrent(static_cast<uint32_t>(generation))) return 1;
    lock.Bump();
  }
  return CloseNumber(fd);
}

int32_t FdSetCloexec(State&, int32_t fd, int32_t generation, int32_t on) {
  return IfCurrent(fd, generation, [&] { return Syscall(SYS_ioctl, fd, on ? FIOCLEX : FIONCLEX); });
}

int32_t FdSetNonBlocking(State&, int32_t fd, int32_t generation, int32_t on) {
  return IfCurrent(fd, generation, [&] { return Syscall(SYS_ioctl, fd, FIONBIO, &on); });
}

}  // namespace

const Export kFdExports[] = {
    {"read", Call<Read>::ByRegisters},
    {"write", Call<Write>::ByRegisters},
    {"read_u64", Call<ReadU64>::ByRegisters},
    {"write_u64", Call<WriteU64>::ByRegisters},
    {"close", Call<Close>::ByArguments},
    {"dup", Call<Dup>::ByArguments},
    {"dup_cloexec", Call<DupCloexec>::ByArguments},
    {"dup3", Call<Dup3>::ByArguments},
    {"pipe2", Call<Pipe2>::ByArguments},
    {"socketpair", Call<Socketpair>::ByArguments},
    {"fcntl", Call<Fcntl>::ByArguments},
    {"ioctl_fionbio", Call<IoctlFionbio>::ByArguments},
    {"ioctl_fioclex", Call<IoctlFioclex>::ByArguments},
    {"ioctl_fionclex", Call<IoctlFionclex>::ByArguments},
    {"ioctl_fionread", Call<IoctlFionread>::ByArguments},
    {"kcmp", Call<Kcmp>::ByArguments},
    {"kcmp_epoll", Call<KcmpEpoll>::ByArguments},
    {"fd_own", Call<FdOwn>::ByArguments},
    {"fd_retire", Call<FdRetire>::ByArguments},
    {"fd_close", Call<FdClose>::ByArguments},
    {"fd_set_cloexec", Call<FdSetCloexec>::ByArguments},
    {"fd_set_non_blocking", Call<FdSetNonBlocking>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
