// Descriptors: read, write, close, duplicate, flags, kcmp, and ownership by an environment.

#include <fcntl.h>
#include <sys/ioctl.h>

#include "call.h"
#include "fd_table.h"
#include "interest_list.h"
#include "syscall.h"

namespace genpoll {

namespace {

template <long Number>
int32_t Transfer(const Pinned& memory, int32_t fd, int32_t offset, int32_t length) {
  const size_t start = static_cast<uint32_t>(offset);
  const size_t count = static_cast<uint32_t>(length);
  if (start > memory.length || count > memory.length - start) return -EINVAL;
  int32_t rc;
  do {
    rc = Syscall(Number, fd, memory.data + start, count);
  } while (rc == -EINTR);
  return rc;
}

// Linux has let go of the descriptor even when it answers EINTR; a retry could close a stranger.
int32_t CloseNumber(int32_t fd) {
  const int32_t rc = Syscall(SYS_close, fd);
  return rc == -EINTR ? 0 : rc;
}

bool IsOwned(const fd_table::Lock& lock, int32_t since) {
  return lock.slot().owner != 0 && lock.slot().since == static_cast<uint32_t>(since);
}

// The two calls that change an owned descriptor. The lock keeps the number from being recycled
// between the check and the change.
template <typename Change>
int32_t IfOwned(int32_t fd, int32_t since, Change change) {
  fd_table::Lock lock(fd);
  return IsOwned(lock, since) ? change() : -EBADF;
}

int32_t Read(State& state, int32_t fd, int32_t offset, int32_t length) {
  return Transfer<SYS_read>(state.buffer, fd, offset, length);
}

int32_t Write(State& state, int32_t fd, int32_t offset, int32_t length) {
  return Transfer<SYS_write>(state.source, fd, offset, length);
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
  if (fd_table::HasSlot(fd)) {
    // Before the close: once it is done, another thread may be given the number.
    fd_table::Lock lock(fd);
    interest::Leave(lock, fd);
    lock.Renew();
  }
  return CloseNumber(fd);
}

int32_t Dup(State&, int32_t fd) { return fd_table::Duplicated(Syscall(SYS_dup, fd), fd); }

int32_t DupCloexec(State& state, int32_t fd) {
  return Keep(state, fd_table::Duplicated(Syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0), fd));
}

int32_t Dup3(State&, int32_t old_fd, int32_t new_fd, int32_t flags) {
  return interest::Replace(old_fd, new_fd, flags, false);
}

int32_t FdReplace(State&, int32_t original, int32_t fd) {
  return interest::Replace(original, fd, O_CLOEXEC, true);
}

int32_t Pipe2(State& state, int32_t flags) {
  int32_t* fds = &state.registers[1];
  const int32_t rc = Syscall(SYS_pipe2, fds, flags);
  if (rc < 0) return rc;
  for (int i = 0; i < 2; i++) Keep(state, fd_table::Opened(fds[i]));
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

int32_t FdOwn(State& state, int32_t fd, int32_t is_new) {
  const int32_t rc = Syscall(SYS_fcntl, fd, F_GETFD, 0);
  if (rc < 0) return rc;
  if (!fd_table::HasSlot(fd)) return -EBADF;
  {
    fd_table::Lock lock(fd);
    fd_table::Slot& slot = lock.slot();
    // Opened to be owned.
    if (is_new && slot.owner == state.id && slot.since == lock.generation()) return fd;
    if (slot.owner != 0) return -EEXIST;
    // A new owner must not get what was registered for a file that the number doesn't name any
    // more.
    if (lock.generation() == 0) lock.Renew();
    interest::Judge(lock, fd);
    if (Own(state, lock, fd)) return fd;
  }
  // Whoever owns a number believes its generation, and this one's have all been used.
  if (!is_new) return -EOVERFLOW;
  const int32_t other = fd_table::Duplicated(Syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1), fd);
  if (other < 0) return other;
  Close(state, fd);
  return FdOwn(state, other, is_new);
}

int32_t FdIsOwned(State&, int32_t fd, int32_t since) {
  fd_table::Lock lock(fd);
  return IsOwned(lock, since);
}

int32_t FdRelease(State&, int32_t fd, int32_t since) {
  fd_table::Lock lock(fd);
  if (!IsOwned(lock, since)) return 1;
  const int32_t rc = interest::Leave(lock, fd);
  lock.Renew();
  return rc;
}

int32_t FdRetire(State&, int32_t fd) {
  fd_table::Renew(fd);
  return 0;
}

int32_t FdRetireIf(State&, int32_t fd, int32_t generation) {
  fd_table::Lock lock(fd);
  if (lock.IsCurrent(static_cast<uint32_t>(generation))) lock.Renew();
  return 0;
}

int32_t FdClose(State&, int32_t fd, int32_t since) { return CloseOwned(fd, since); }

int32_t FdSetCloexec(State&, int32_t fd, int32_t since, int32_t on) {
  // Not FIOCLEX, which the kernel refuses for O_PATH descriptors.
  return IfOwned(fd, since, [&] { return Syscall(SYS_fcntl, fd, F_SETFD, on ? FD_CLOEXEC : 0); });
}

int32_t FdSetNonBlocking(State&, int32_t fd, int32_t since, int32_t on) {
  return IfOwned(fd, since, [&] { return Syscall(SYS_ioctl, fd, FIONBIO, &on); });
}

}  // namespace

int32_t CloseOwned(int32_t fd, uint32_t since) {
  {
    fd_table::Lock lock(fd);
    if (!IsOwned(lock, static_cast<int32_t>(since))) return 1;
    const int32_t rc = interest::Leave(lock, fd);
    lock.Renew();
    // The number names a stranger.
    if (rc < 0) return rc;
  }
  return CloseNumber(fd);
}

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
    {"fcntl", Call<Fcntl>::ByArguments},
    {"ioctl_fionbio", Call<IoctlFionbio>::ByArguments},
    {"ioctl_fioclex", Call<IoctlFioclex>::ByArguments},
    {"ioctl_fionclex", Call<IoctlFionclex>::ByArguments},
    {"ioctl_fionread", Call<IoctlFionread>::ByArguments},
    {"kcmp", Call<Kcmp>::ByArguments},
    {"kcmp_epoll", Call<KcmpEpoll>::ByArguments},
    {"fd_own", Call<FdOwn>::ByArguments},
    {"fd_is_owned", Call<FdIsOwned>::ByArguments},
    {"fd_release", Call<FdRelease>::ByArguments},
    {"fd_replace", Call<FdReplace>::ByArguments},
    {"fd_retire", Call<FdRetire>::ByArguments},
    {"fd_retire_if", Call<FdRetireIf>::ByArguments},
    {"fd_close", Call<FdClose>::ByArguments},
    {"fd_set_cloexec", Call<FdSetCloexec>::ByArguments},
    {"fd_set_non_blocking", Call<FdSetNonBlocking>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
