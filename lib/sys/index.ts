/**
 * The system calls, one to one: plain numbers in, plain numbers out, `null` where a call would
 * block, an `ErrnoError` for the rest. Nothing is added to the flags that are passed.
 *
 * @module genpoll/sys
 */

export type { Address, AddressLike, IpAddress, UnixAddress } from '../address.js'
export * from '../constants.js'
export type { Signal } from '../signals.js'
export {
  close,
  dup,
  dup3,
  fcntl_getfd,
  fcntl_getfl,
  fcntl_setfd,
  fcntl_setfl,
  ioctl_fioclex,
  ioctl_fionbio,
  ioctl_fionclex,
  ioctl_fionread,
  type KcmpEpollSlot,
  kcmp,
  pipe2,
  read,
  socketpair,
  write,
} from './descriptors.js'
export { epoll_create1, epoll_ctl, epoll_pwait, epoll_pwait2 } from './epoll.js'
export { eventfd, eventfd_read, eventfd_write } from './eventfd.js'
export {
  pidfd_open,
  pidfd_send_signal,
  type SignalInfo,
  signalfd,
  signalfd_read,
  sigprocmask,
} from './signals.js'
export {
  accept4,
  bind,
  connect,
  getpeername,
  getsockname,
  getsockopt,
  listen,
  type Message,
  type ReceivedMessage,
  recvmsg,
  sendmsg,
  setsockopt,
  shutdown,
  socket,
  writev,
} from './sockets.js'
export {
  type TimerSetting,
  timerfd_create,
  timerfd_gettime,
  timerfd_read,
  timerfd_settime,
} from './timerfd.js'
