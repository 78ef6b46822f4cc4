// The kernel's constants, in its spelling. The values are the same on every Linux architecture that
// genpoll is built for (test/constants.ts compares them with the system's headers).

// epoll: events
export const EPOLLIN = 0x001
export const EPOLLPRI = 0x002
export const EPOLLOUT = 0x004
export const EPOLLERR = 0x008
export const EPOLLHUP = 0x010
export const EPOLLRDNORM = 0x040
export const EPOLLRDBAND = 0x080
export const EPOLLWRNORM = 0x100
export const EPOLLWRBAND = 0x200
export const EPOLLMSG = 0x400
export const EPOLLRDHUP = 0x2000
// epoll: how they are delivered
export const EPOLLEXCLUSIVE = 1 << 28
export const EPOLLWAKEUP = 1 << 29
export const EPOLLONESHOT = 1 << 30
/** Negative in JavaScript, as is every mask that holds it; genpoll accepts both signs. */
export const EPOLLET = 1 << 31

export const EPOLL_CLOEXEC = 0o2000000
export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLL_CTL_MOD = 3

// eventfd
export const EFD_SEMAPHORE = 1
export const EFD_NONBLOCK = 0o4000
export const EFD_CLOEXEC = 0o2000000

// timerfd
export const TFD_NONBLOCK = 0o4000
export const TFD_CLOEXEC = 0o2000000
export const TFD_TIMER_ABSTIME = 1
export const TFD_TIMER_CANCEL_ON_SET = 2
export const CLOCK_REALTIME = 0
export const CLOCK_MONOTONIC = 1
export const CLOCK_BOOTTIME = 7
export const CLOCK_REALTIME_ALARM = 8
export const CLOCK_BOOTTIME_ALARM = 9

// signals
export const SFD_NONBLOCK = 0o4000
export const SFD_CLOEXEC = 0o2000000
export const SIG_BLOCK = 0
export const SIG_UNBLOCK = 1
export const SIG_SETMASK = 2
export const PIDFD_NONBLOCK = 0o4000

// descriptors
export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000
export const FD_CLOEXEC = 1
export const AF_UNIX = 1
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_SEQPACKET = 5
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000

// kcmp
export const KCMP_FILE = 0
export const KCMP_VM = 1
export const KCMP_FILES = 2
export const KCMP_FS = 3
export const KCMP_SIGHAND = 4
export const KCMP_IO = 5
export const KCMP_SYSVSEM = 6
export const KCMP_EPOLL_TFD = 7
