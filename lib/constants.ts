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
export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_SEQPACKET = 5
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000

// sockets
export const SHUT_RD = 0
export const SHUT_WR = 1
export const SHUT_RDWR = 2
export const MSG_OOB = 0x1
export const MSG_PEEK = 0x2
export const MSG_CTRUNC = 0x8
export const MSG_TRUNC = 0x20
export const MSG_DONTWAIT = 0x40
export const MSG_EOR = 0x80
export const MSG_WAITALL = 0x100
export const MSG_NOSIGNAL = 0x4000
export const MSG_MORE = 0x8000
export const MSG_CMSG_CLOEXEC = 0x40000000
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_TYPE = 3
export const SO_ERROR = 4
export const SO_BROADCAST = 6
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_KEEPALIVE = 9
export const SO_OOBINLINE = 10
export const SO_PRIORITY = 12
export const SO_LINGER = 13
export const SO_REUSEPORT = 15
export const SO_PASSCRED = 16
export const SO_RCVLOWAT = 18
export const SO_ACCEPTCONN = 30
export const SO_MARK = 36
export const SO_PROTOCOL = 38
export const SO_DOMAIN = 39
export const SO_BUSY_POLL = 46
export const SO_INCOMING_CPU = 49
export const IPPROTO_IP = 0
export const IP_TOS = 1
export const IP_TTL = 2
export const IP_MULTICAST_TTL = 33
export const IP_MULTICAST_LOOP = 34
export const IPPROTO_TCP = 6
export const TCP_NODELAY = 1
export const TCP_MAXSEG = 2
export const TCP_CORK = 3
export const TCP_KEEPIDLE = 4
export const TCP_KEEPINTVL = 5
export const TCP_KEEPCNT = 6
export const TCP_SYNCNT = 7
export const TCP_DEFER_ACCEPT = 9
export const TCP_QUICKACK = 12
export const TCP_USER_TIMEOUT = 18
export const TCP_FASTOPEN = 23
export const TCP_NOTSENT_LOWAT = 25
export const IPPROTO_IPV6 = 41
export const IPV6_UNICAST_HOPS = 16
export const IPV6_MULTICAST_HOPS = 18
export const IPV6_MULTICAST_LOOP = 19
export const IPV6_V6ONLY = 26
export const IPV6_TCLASS = 67

// kcmp
export const KCMP_FILE = 0
export const KCMP_VM = 1
export const KCMP_FILES = 2
export const KCMP_FS = 3
export const KCMP_SIGHAND = 4
export const KCMP_IO = 5
export const KCMP_SYSVSEM = 6
export const KCMP_EPOLL_TFD = 7
