#ifndef GENPOLL_EPOLL_PARAMS_H_
#define GENPOLL_EPOLL_PARAMS_H_

#include <sys/ioctl.h>

#include <cstdint>

#include "syscall.h"

// Busy polling of an epoll (ioctl_eventpoll(2)), since Linux 6.9; older headers lack it.

namespace genpoll {

struct EpollParams {
  uint32_t busy_poll_usecs;
  uint16_t busy_poll_budget;
  uint8_t prefer_busy_poll;
  uint8_t pad;
};

inline int32_t GetEpollParams(int epfd, EpollParams* params) {
  return Syscall(SYS_ioctl, epfd, _IOR(0x8A, 0x02, EpollParams), params);
}

inline int32_t SetEpollParams(int epfd, const EpollParams& params) {
  return Syscall(SYS_ioctl, epfd, _IOW(0x8A, 0x01, EpollParams), &params);
}

}  // namespace genpoll

#endif  // GENPOLL_EPOLL_PARAMS_H_
