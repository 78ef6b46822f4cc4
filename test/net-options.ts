// Options of sockets: as numbers and bytes through sys, by their names through the classes.

import { Listener, Socket, type SocketOption } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'
import { abstractName, Kept, noIPv6, tcpPair } from './fixtures/net.js'

const { IPPROTO_TCP, SOL_SOCKET } = sys
const FLAGS = sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK
/** `{ pid, uid, gid }` of who is at the other end. */
const SO_PEERCRED = 17
const SO_RCVTIMEO = 20
const TCP_INFO = 11

function tcp(fds: Descriptors): number {
  return fds.own(sys.socket(sys.AF_INET, sys.SOCK_STREAM | FLAGS, 0))
}

test('a number is set and read', (t) => {
  using fds = new Descriptors()
  const fd = tcp(fds)
  t.equal(sys.getsockopt(fd, IPPROTO_TCP, sys.TCP_NODELAY), 0)
  sys.setsockopt(fd, IPPROTO_TCP, sys.TCP_NODELAY, 1)
  t.equal(sys.getsockopt(fd, IPPROTO_TCP, sys.TCP_NODELAY), 1)
  sys.setsockopt(fd, IPPROTO_TCP, sys.TCP_NODELAY, 0)
  t.equal(sys.getsockopt(fd, IPPROTO_TCP, sys.TCP_NODELAY), 0)
})

test('a buffer takes any value, and its length is told', (t) => {
  using fds = new Descriptors()
  const [a] = fds.pair()
  const credentials = new Int32Array(3)
  t.equal(sys.getsockopt(a, SOL_SOCKET, SO_PEERCRED, credentials), 12)
  t.same([...credentials], [process.pid, process.getuid!(), process.getgid!()])
  const larger = new Int32Array(8).fill(-1)
  t.equal(sys.getsockopt(a, SOL_SOCKET, SO_PEERCRED, larger), 12)
  t.same([...larger.subarray(2)], [process.getgid!(), -1, -1, -1, -1, -1], 'no more is touched')
  const info = Buffer.alloc(1024)
  t.ok(sys.getsockopt(tcp(fds), IPPROTO_TCP, TCP_INFO, info) > 100)
})

test('a value is cut to the buffer', (t) => {
  using fds = new Descriptors()
  const [a] = fds.pair()
  const memory = new Int32Array([-1, -1, -1])
  t.equal(sys.getsockopt(a, SOL_SOCKET, SO_PEERCRED, memory.subarray(1, 2)), 4)
  t.same([...memory], [-1, process.pid, -1])
  t.equal(sys.getsockopt(a, SOL_SOCKET, sys.SO_TYPE, new Uint8Array(0)), 0)
})

test('a buffer is set, in each kind of view', (t) => {
  using fds = new Descriptors()
  const fd = tcp(fds)
  const out = new BigInt64Array(2)
  const value = new BigInt64Array([3n, 500_000n])
  const views = [value, Buffer.from(value.buffer), new DataView(value.buffer)]
  for (const view of views) {
    sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new BigInt64Array(2))
    sys.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, view)
    t.equal(sys.getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, out), 16)
    t.same(out, value)
  }
})

test('a buffer that is too short is refused by the kernel', (t) => {
  using fds = new Descriptors()
  const fd = tcp(fds)
  for (const bytes of [0, 1, 3]) {
    const set = () => sys.setsockopt(fd, IPPROTO_TCP, sys.TCP_NODELAY, Buffer.alloc(bytes))
    t.throws(set, errno('EINVAL', 'setsockopt'), `${bytes}`)
  }
})

/** Options that would have the kernel write elsewhere than into the buffer. */
const ELSEWHERE = {
  TCP_ZEROCOPY_RECEIVE: [IPPROTO_TCP, 35],
  MPTCP_FULL_INFO: [284, 4],
  /** Its length counts instructions of eight bytes. */
  SO_GET_FILTER: [SOL_SOCKET, 26],
  'the tables of iptables': [0, 64],
  'the tables of ip6tables': [sys.IPPROTO_IPV6, 64],
  'the tables of arptables': [0, 96],
  'the tables of ebtables': [0, 128],
  EBT_SO_GET_ENTRIES: [0, 129],
  EBT_SO_GET_INIT_ENTRIES: [0, 131],
} as const

for (const [name, [level, optname]] of Object.entries(ELSEWHERE)) {
  test(`${name} is refused`, (t) => {
    using fds = new Descriptors()
    const fd = tcp(fds)
    const value = new Uint8Array(256).fill(0xa5)
    const expected = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message: /"optname"/ }
    t.throws(() => sys.getsockopt(fd, level, optname, value), expected)
    t.throws(() => sys.setsockopt(fd, level, optname, value), expected)
    t.ok(value.every((byte) => byte === 0xa5))
  })
}

test('the same numbers of other levels are options as any', (t) => {
  using fds = new Descriptors()
  const fd = tcp(fds)
  const value = new Int32Array(2)
  t.equal(sys.getsockopt(fd, SOL_SOCKET, 35, value), 4) // SO_TIMESTAMPNS
  t.throws(() => sys.getsockopt(fd, SOL_SOCKET, 128, value), errno('ENOPROTOOPT', 'getsockopt'))
})

test('options fail as the kernel says', (t) => {
  using fds = new Descriptors()
  const fd = tcp(fds)
  const [unix] = fds.pair()
  t.throws(() => sys.getsockopt(fd, SOL_SOCKET, -1), errno('ENOPROTOOPT', 'getsockopt'))
  t.throws(() => sys.setsockopt(fd, SOL_SOCKET, -1, 0), errno('ENOPROTOOPT', 'setsockopt'))
  t.throws(() => sys.setsockopt(fd, SOL_SOCKET, sys.SO_TYPE, 1), errno('ENOPROTOOPT', 'setsockopt'))
  t.throws(
    () => sys.getsockopt(unix, IPPROTO_TCP, sys.TCP_NODELAY),
    errno('EOPNOTSUPP', 'getsockopt'),
  )
  t.throws(
    () => sys.setsockopt(fd, IPPROTO_TCP, sys.TCP_KEEPIDLE, 0),
    errno('EINVAL', 'setsockopt'),
  )
})

/** Values that the kernel gives back as they were set; here none is what it was before. */
const SETTABLE: Partial<Record<SocketOption, number>> = {
  SO_KEEPALIVE: 1,
  SO_OOBINLINE: 1,
  SO_PRIORITY: 3,
  SO_RCVLOWAT: 7,
  SO_REUSEADDR: 1,
  SO_REUSEPORT: 1,
  SO_LINGER: 5,
  IP_MULTICAST_LOOP: 0,
  IP_TOS: 16,
  IP_TTL: 33,
  TCP_CORK: 1,
  TCP_FASTOPEN: 5,
  TCP_KEEPCNT: 4,
  TCP_KEEPIDLE: 77,
  TCP_KEEPINTVL: 8,
  TCP_MAXSEG: 600,
  TCP_NODELAY: 1,
  TCP_NOTSENT_LOWAT: 16384,
  TCP_SYNCNT: 2,
  TCP_USER_TIMEOUT: 3000,
}

for (const [option, value] of Object.entries(SETTABLE) as [SocketOption, number][]) {
  test(`${option} by its name`, (t) => {
    const fd = sys.socket(sys.AF_INET, sys.SOCK_STREAM | FLAGS, 0)
    using socket = Socket.adopt(fd)
    t.not(socket.getOption(option), value)
    socket.setOption(option, value)
    t.equal(socket.getOption(option), value)
  })
}

test(
  'the options of IPv6 by their names',
  (t) => {
    using socket = Socket.adopt(sys.socket(sys.AF_INET6, sys.SOCK_STREAM | FLAGS, 0))
    const values = { IPV6_MULTICAST_LOOP: 0, IPV6_TCLASS: 16, IPV6_UNICAST_HOPS: 9, IPV6_V6ONLY: 1 }
    for (const [option, value] of Object.entries(values) as [SocketOption, number][]) {
      t.not(socket.getOption(option), value, option)
      socket.setOption(option, value)
      t.equal(socket.getOption(option), value, option)
    }
  },
  { skip: noIPv6 },
)

test('options that can only be read', (t) => {
  using listener = Listener.tcp()
  t.equal(listener.getOption('SO_TYPE'), sys.SOCK_STREAM)
  t.equal(listener.getOption('SO_DOMAIN'), sys.AF_INET)
  t.equal(listener.getOption('SO_PROTOCOL'), IPPROTO_TCP)
})

test('buffers are as large as was asked for, which the kernel doubles', (t) => {
  using kept = new Kept()
  const [client] = tcpPair(kept)
  for (const option of ['SO_RCVBUF', 'SO_SNDBUF'] as const) {
    client.setOption(option, 16384)
    t.equal(client.getOption(option), 32768)
  }
})

test('SO_LINGER is in seconds, and -1 when it is off', (t) => {
  using listener = Listener.tcp()
  t.equal(listener.getOption('SO_LINGER'), -1)
  for (const seconds of [0, 1, 65535, -1, 3]) {
    listener.setOption('SO_LINGER', seconds)
    t.equal(listener.getOption('SO_LINGER'), seconds)
  }
})

test('SO_LINGER refuses other times', (t) => {
  using listener = Listener.tcp()
  for (const value of [-2, 65536, 0.5, NaN]) {
    t.throws(() => listener.setOption('SO_LINGER', value), {
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
      message: /"value"/,
    })
  }
  t.equal(listener.getOption('SO_LINGER'), -1)
})

test('an option by a name that is none', (t) => {
  using listener = Listener.tcp()
  // What SO_PASSCRED brings is dropped by all that receives here.
  const names = [
    '',
    'SO_NONE',
    'SO_PASSCRED',
    'so_linger',
    'toString',
    '__proto__',
    null,
    undefined,
    13,
    {},
  ]
  for (const name of [...names, ['SO_LINGER'], Symbol('SO_LINGER'), Object('SO_LINGER')]) {
    const expected = { name: 'TypeError', code: /^ERR_INVALID_ARG_(VALUE|TYPE)$/ }
    t.throws(() => listener.getOption(name as never), { ...expected, message: /"option"/ })
    t.throws(() => listener.setOption(name as never, 1), { ...expected, message: /"option"/ })
  }
})

test('an option fails as the kernel says', (t) => {
  using listener = Listener.unix(abstractName())
  const expected = errno('EOPNOTSUPP', 'setsockopt')
  t.throws(() => listener.setOption('TCP_NODELAY', 1), { ...expected, fd: listener.fd })
  t.throws(() => listener.getOption('TCP_NODELAY'), errno('EOPNOTSUPP', 'getsockopt'))
})
