#ifndef GENPOLL_SYSCALLS_H_
#define GENPOLL_SYSCALLS_H_

#include "addon.h"

// Every function that types/binding.d.ts lists, by the file that holds it. Each returns a value
// >= 0 or -errno; 64-bit values and second results travel in the registers, as described there.

namespace genpoll {

// epoll.cc
int32_t EpollCreate1(State&, int32_t flags);
int32_t EpollCtl(State&, int32_t epfd, int32_t op, int32_t fd, int32_t events, int32_t data_low,
                 int32_t data_high);
int32_t EpollAddAll(State&, int32_t epfd, int32_t count);
int32_t EpollWait(State&, int32_t epfd, int32_t timeout_ms);
int32_t EpollPwait(State&, int32_t epfd, int32_t seconds, int32_t nanoseconds, int32_t has_mask,
                   int32_t has_pwait2);
int32_t EpollGetParams(State&, int32_t epfd);
int32_t EpollSetParams(State&, int32_t epfd, int32_t usecs, int32_t budget, int32_t prefer);

// host_loop.cc
int32_t HostAttach(State&, int32_t epfd);
int32_t HostDetach(State&, int32_t epfd);

// fd.cc
int32_t Read(State&, int32_t fd, int32_t offset, int32_t length);
int32_t Write(State&, int32_t fd, int32_t offset, int32_t length);
int32_t ReadU64(State&, int32_t fd);
int32_t WriteU64(State&, int32_t fd);
int32_t Close(State&, int32_t fd);
int32_t Dup(State&, int32_t fd);
int32_t DupCloexec(State&, int32_t fd);
int32_t Dup3(State&, int32_t old_fd, int32_t new_fd, int32_t flags);
int32_t Pipe2(State&, int32_t flags);
int32_t Socketpair(State&, int32_t domain, int32_t type, int32_t protocol);
int32_t Fcntl(State&, int32_t fd, int32_t command, int32_t argument);
int32_t IoctlFionbio(State&, int32_t fd, int32_t on);
int32_t IoctlFioclex(State&, int32_t fd);
int32_t IoctlFionclex(State&, int32_t fd);
int32_t IoctlFionread(State&, int32_t fd);
int32_t Kcmp(State&, int32_t pid1, int32_t pid2, int32_t type, int32_t index1, int32_t index2);
int32_t KcmpEpoll(State&, int32_t pid1, int32_t pid2, int32_t index1, int32_t efd, int32_t tfd,
                  int32_t toff);
int32_t FdOwn(State&, int32_t fd);
int32_t FdRetire(State&, int32_t fd);
int32_t FdClose(State&, int32_t fd, int32_t generation);
int32_t FdSetCloexec(State&, int32_t fd, int32_t generation, int32_t on);
int32_t FdSetNonBlocking(State&, int32_t fd, int32_t generation, int32_t on);

// eventfd.cc, timerfd.cc, pidfd.cc
int32_t Eventfd(State&, int32_t initval, int32_t flags);
int32_t TimerfdCreate(State&, int32_t clockid, int32_t flags);
int32_t TimerfdSettime(State&, int32_t fd, int32_t flags);
int32_t TimerfdGettime(State&, int32_t fd);
int32_t PidfdOpen(State&, int32_t pid, int32_t flags);
int32_t PidfdSendSignal(State&, int32_t pidfd, int32_t signal);
int32_t PidfdInfo(State&, int32_t pidfd);

// signalfd.cc, signal_mask.cc
int32_t Signalfd(State&, int32_t fd, int32_t flags);
int32_t Sigprocmask(State&, int32_t how);
int32_t SignalCaught(State&, int32_t signal);
int32_t SignalsBlock(State&);
int32_t SignalsUnblock(State&);

// probe.cc
int32_t Probe(State&, int32_t which);

}  // namespace genpoll

#endif  // GENPOLL_SYSCALLS_H_
