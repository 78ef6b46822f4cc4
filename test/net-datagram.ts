import { EPOLLERR, type OwnedFd } from 'genpoll'
import { type Address, Datagram, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { type Bad, bad } from './fixtures/bad.js'
import { openDescriptors, test } from './fixtures/check.js'
import { pipe } from './fixtures/descriptors.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { abstractName, Kept, noIPv6, soon } from './fixtures/net.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'

const buffer = Buffer.alloc(64)

/** The next datagram: its text and where it came from. */
function next(socket: Datagram): [text: string, from: Address | null] {
  const { count, isTruncated, address } = soon(socket.fd, () => socket.recv(buffer))
  if (isTruncated) throw new Error('it was truncated')
  return [buffer.toString('latin1', 0, count), address]
}

function portOf(socket: Datagram): number {
  const address = socket.address()
  return 'port' in address ? address.port : -1
}

function isReserved(fd: OwnedFd): boolean {
  return (sys.fcntl_getfd(fd.fd) & sys.FD_CLOEXEC) !== 0
}

test('UDP is at 127.0.0.1 and at a free port, unless told', (t) => {
  using socket = Datagram.udp()
  const address = socket.address()
  t.match(address, { family: 'IPv4', address: '127.0.0.1', port: Number })
  t.not(portOf(socket), 0)
  t.equal(socket.recv(buffer), null)
  t.equal(isReserved(socket), true)
  t.equal(sys.fcntl_getfl(socket.fd) & sys.O_NONBLOCK, sys.O_NONBLOCK)
  t.throws(() => socket.peer(), errno('ENOTCONN', 'getpeername'))
})

test('a datagram is answered by its address', (t) => {
  using a = Datagram.udp()
  using b = Datagram.udp()
  t.equal(a.send(Buffer.from('ping'), b.address()), 4)
  const [text, from] = next(b)
  t.equal(text, 'ping')
  t.same(from, a.address())
  t.equal(b.send(Buffer.from('pong'), from), 4)
  t.same(next(a), ['pong', b.address()])
})

test('one without a byte is a datagram too', (t) => {
  using a = Datagram.udp()
  t.equal(a.send(Buffer.alloc(0), a.address()), 0)
  t.same(
    soon(a.fd, () => a.recv(buffer)),
    { count: 0, isTruncated: false, address: a.address() },
  )
  t.equal(a.recv(buffer), null)
})

test(
  'IPv6',
  (t) => {
    using a = Datagram.udp({ host: '::1' })
    using b = Datagram.udp({ host: '::1' })
    t.match(a.address(), { family: 'IPv6', address: '::1', port: Number })
    a.send(Buffer.from('six'), b.address())
    t.same(next(b), ['six', a.address()])
  },
  { skip: noIPv6 },
)

test(
  ':: receives from both families',
  (t) => {
    using all = Datagram.udp({ host: '::' })
    using four = Datagram.udp()
    const port = portOf(all)
    four.send(Buffer.from('four'), { address: '127.0.0.1', port })
    const mapped = { family: 'IPv6', address: '::ffff:127.0.0.1', port: portOf(four) } as const
    t.same(next(all), ['four', mapped])
    all.send(Buffer.from('back'), mapped)
    t.same(next(four), ['back', { family: 'IPv4', address: '127.0.0.1', port }])
    t.equal(all.getOption('IPV6_V6ONLY'), 0)
  },
  { skip: noIPv6 },
)

test(
  'ipv6Only leaves the port to IPv4',
  (t) => {
    using six = Datagram.udp({ host: '::', ipv6Only: true })
    const port = portOf(six)
    t.equal(six.getOption('IPV6_V6ONLY'), 1)
    using four = Datagram.udp({ port })
    using sender = Datagram.udp()
    sender.send(Buffer.from('four'), { address: '127.0.0.1', port })
    t.same(next(four), ['four', sender.address()])
    t.equal(six.recv(buffer), null)
  },
  { skip: noIPv6 },
)

test('a port that is taken', (t) => {
  using first = Datagram.udp()
  const before = openDescriptors().size
  t.throws(() => Datagram.udp({ port: portOf(first) }), errno('EADDRINUSE', 'bind'))
  t.equal(openDescriptors().size, before)
})

test('an address that isn’t ours', (t) => {
  t.throws(() => Datagram.udp({ host: '192.0.2.1' }), errno('EADDRNOTAVAIL', 'bind'))
})

test('reuseAddr: the last one receives', (t) => {
  using first = Datagram.udp({ reuseAddr: true })
  using last = Datagram.udp({ reuseAddr: true, port: portOf(first) })
  using sender = Datagram.udp()
  sender.send(Buffer.from('whose?'), last.address())
  t.same(next(last), ['whose?', sender.address()])
  t.equal(first.recv(buffer), null)
})

test('reusePort shares out: a sender keeps its receiver', (t) => {
  using kept = new Kept()
  const one = kept.one(Datagram.udp({ reusePort: true }))
  const all = [one, kept.one(Datagram.udp({ reusePort: true, port: portOf(one) }))]
  for (let i = 0; i < 16; i++) {
    const sender = kept.one(Datagram.udp())
    for (let j = 0; j < 3; j++) sender.send(Buffer.from(`${i}`), one.address())
  }
  const got = all.map((socket) => {
    const texts: string[] = []
    for (let it = socket.recv(buffer); it !== null; it = socket.recv(buffer)) {
      texts.push(buffer.toString('latin1', 0, it.count))
    }
    return texts
  })
  t.equal(got[0]!.length + got[1]!.length, 48)
  t.same(
    [...new Set(got[0])].filter((text) => got[1]!.includes(text)),
    [],
  )
})

test('a port is shared by those only who all want to', (t) => {
  using one = Datagram.udp({ reusePort: true })
  t.throws(() => Datagram.udp({ port: portOf(one) }), errno('EADDRINUSE', 'bind'))
})

test('connected: sends without an address, and hears nobody else', (t) => {
  using a = Datagram.udp()
  using b = Datagram.udp()
  using stranger = Datagram.udp()
  t.equal(a.connect(b.address()), undefined)
  t.same(a.peer(), b.address())
  t.equal(a.send(Buffer.from('hello')), 5)
  t.same(next(b), ['hello', a.address()])
  stranger.send(Buffer.from('me too'), a.address())
  b.send(Buffer.from('hello'), a.address())
  t.same(next(a), ['hello', b.address()])
  t.equal(a.recv(buffer), null)
})

test('no address, and none that is known', (t) => {
  using socket = Datagram.udp()
  for (const address of [undefined, null]) {
    t.throws(() => socket.send(Buffer.from('?'), address), errno('EDESTADDRREQ', 'sendmsg'))
  }
  using unix = Datagram.unix()
  t.throws(() => unix.send(Buffer.from('?')), errno('ENOTCONN', 'sendmsg'))
})

test('a datagram that came back is an error of the next call, once', (t) => {
  using a = Datagram.udp()
  const gone = Datagram.udp()
  a.connect(gone.address())
  gone.close()
  const refused = (syscall: string) => errno('ECONNREFUSED', syscall)
  t.equal(a.send(buffer), 64)
  t.equal(poll(a.fd, 0, PATIENCE_MS), EPOLLERR)
  t.throws(() => a.recv(buffer), refused('recvmsg'))
  t.equal(a.recv(buffer), null)
  t.equal(a.send(buffer), 64)
  t.equal(poll(a.fd, 0, PATIENCE_MS), EPOLLERR)
  t.throws(() => a.send(buffer), refused('sendmsg'))
  t.equal(a.send(buffer), 64)
})

test('too long for a datagram', (t) => {
  using socket = Datagram.udp()
  const largest = Buffer.alloc(65507, 7)
  t.equal(socket.send(largest, socket.address()), 65507)
  const all = Buffer.alloc(65536)
  t.match(
    soon(socket.fd, () => socket.recv(all)),
    { count: 65507, isTruncated: false },
  )
  t.ok(all.subarray(0, 65507).equals(largest))
  const more = Buffer.alloc(65508)
  t.throws(() => socket.send(more, socket.address()), errno('EMSGSIZE', 'sendmsg'))
})

test('what is longer than the buffer is truncated, and the rest is gone', (t) => {
  using socket = Datagram.udp()
  for (const text of ['0123456789', 'next']) socket.send(Buffer.from(text), socket.address())
  const small = Buffer.alloc(6, '.')
  const received = soon(socket.fd, () => socket.recv(small.subarray(1, 5)))
  t.same(received, { count: 4, isTruncated: true, address: socket.address() })
  t.equal(small.toString(), '.0123.')
  t.same(next(socket), ['next', socket.address()])
})

test('any view of memory is sent and filled', (t) => {
  using socket = Datagram.udp()
  socket.send(new DataView(Uint8Array.of(0, 1, 2, 3).buffer, 1, 2), socket.address())
  const words = new Uint16Array(2)
  t.match(
    soon(socket.fd, () => socket.recv(words)),
    { count: 2 },
  )
  t.same(new Uint8Array(words.buffer), Uint8Array.of(1, 2, 0, 0))
})

test('a pair is connected and has no names', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Datagram.pair())
  t.equal(a.send(Buffer.from('one')), 3)
  t.equal(a.send(Buffer.from('two')), 3)
  t.same(next(b), ['one', null])
  t.same(next(b), ['two', null])
  t.equal(b.recv(buffer), null)
  t.same(a.address(), { path: '' })
  t.same(a.peer(), { path: '' })
  t.equal(isReserved(a) && isReserved(b), true)
})

test('the other end of a pair is closed', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Datagram.pair())
  b.close()
  t.throws(() => a.send(buffer), { code: 'ECONNREFUSED', syscall: 'sendmsg' })
})

test('unix sockets that nobody reads would block', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Datagram.pair())
  let sent = 0
  while (sent < 100_000 && a.send(Buffer.of(sent & 255)) !== null) sent++
  t.ok(sent > 0 && sent < 100_000)
  for (let i = 0; i < sent; i++) {
    b.recv(buffer)
    if (buffer[0] !== (i & 255)) t.fail(`the order of ${i}`)
  }
  t.equal(b.recv(buffer), null)
  t.equal(a.send(buffer), 64)
})

test('unix sockets at paths: the file stays', (t) => {
  using kept = new Kept()
  const folder = kept.folder()
  const [one, two] = [`${folder}/one`, `${folder}/two`]
  const a = kept.one(Datagram.unix(one))
  const b = kept.one(Datagram.unix(two))
  t.same(a.address(), { path: one })
  a.send(Buffer.from('hello'), { path: two })
  t.same(next(b), ['hello', { path: one }])
  b.close()
  t.throws(() => a.send(buffer, { path: two }), errno('ECONNREFUSED', 'sendmsg'))
  t.throws(() => Datagram.unix(two), errno('EADDRINUSE', 'bind'))
  t.throws(() => a.connect({ path: `${folder}/none` }), errno('ENOENT', 'connect'))
})

test('a path of 108 bytes is the longest', (t) => {
  using kept = new Kept()
  const folder = kept.folder()
  const longest = `${folder}/${'x'.repeat(107 - folder.length)}`
  const socket = kept.one(Datagram.unix(longest))
  t.same(socket.address(), { path: longest })
  socket.send(Buffer.from('to me'), { path: longest })
  t.same(next(socket), ['to me', { path: longest }])
  t.throws(() => Datagram.unix(`${longest}x`), errno('ENAMETOOLONG', 'bind'))
  // Its bytes count.
  t.throws(() => Datagram.unix(`/tmp/${'é'.repeat(52)}`), errno('ENAMETOOLONG', 'bind'))
  t.throws(() => Datagram.unix('x'.repeat(10_000)), errno('ENAMETOOLONG', 'bind'))
})

test('abstract names, with NULs in them', (t) => {
  using kept = new Kept()
  const name = `${abstractName()}\0after`
  const a = kept.one(Datagram.unix(name))
  const b = kept.one(Datagram.unix(abstractName()))
  t.same(a.address(), { path: name })
  b.send(Buffer.from('hello'), { path: name })
  t.same(next(a), ['hello', b.address()])
  b.connect(a.address())
  t.same(b.peer(), { path: name })
})

test('a unix socket without a name sends, and nobody can answer', (t) => {
  using kept = new Kept()
  const receiver = kept.one(Datagram.unix(abstractName()))
  const nobody = kept.one(Datagram.unix())
  t.same(nobody.address(), { path: '' })
  t.equal(nobody.send(Buffer.from('guess'), receiver.address()), 5)
  t.same(next(receiver), ['guess', null])
})

test('descriptors that come with a datagram are closed', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Datagram.pair())
  const before = openDescriptors().size
  sys.sendmsg(a.fd, { buffers: [Buffer.from('take these')], fds: [a.fd, b.fd] }, 0)
  t.same(next(b), ['take these', null])
  t.equal(openDescriptors().size, before)
})

test('an open socket is taken over', (t) => {
  const fd = sys.socket(sys.AF_INET, sys.SOCK_DGRAM | sys.SOCK_CLOEXEC, 0)
  using socket = Datagram.adopt(fd)
  t.equal(socket.fd, fd)
  t.throws(() => Datagram.adopt(fd), errno('EEXIST', 'adopt'))
  using other = Datagram.adopt(Datagram.udp().release())
  t.equal(other.recv(buffer), null)
})

test('what can’t be taken over stays as it is', (t) => {
  using kept = new Kept()
  const [reading] = kept.both(pipe())
  const [stream] = kept.both(Socket.pair())
  t.throws(() => Datagram.adopt(reading.fd), errno('ENOTSOCK', 'getsockopt'))
  t.throws(() => Datagram.adopt(stream.fd), errno('EPROTOTYPE', 'adopt'))
  t.throws(() => Datagram.adopt(NOT_OPEN), errno('EBADF', 'getsockopt'))
  t.equal(stream.read(buffer), null)
  for (const [value, expected] of [...bad.int32, [-1, { code: 'ERR_OUT_OF_RANGE' }]] as Bad[]) {
    t.throws(() => Datagram.adopt(value as number), expected)
  }
})

test('options of the socket', (t) => {
  using socket = Datagram.udp()
  socket.setOption('SO_BROADCAST', 1)
  t.equal(socket.getOption('SO_BROADCAST'), 1)
  socket.setOption('IP_TTL', 3)
  t.equal(socket.getOption('IP_TTL'), 3)
  t.throws(() => socket.getOption('TCP_NODELAY'), errno('EOPNOTSUPP', 'getsockopt'))
})

test('closed, it does nothing any more', (t) => {
  const socket = Datagram.udp()
  const address = socket.address()
  socket.close()
  socket.close()
  const closed = { name: 'ClosedError', code: 'ERR_CLOSED' }
  t.throws(() => socket.recv(buffer), closed)
  t.throws(() => socket.send(buffer, address), closed)
  t.throws(() => socket.address(), closed)
  t.throws(() => socket.peer(), closed)
  t.throws(() => socket.connect(address), closed)
  t.throws(() => socket.getOption('SO_TYPE'), closed)
  t.throws(() => socket.setOption('SO_BROADCAST', 1), closed)
})

test('what is no argument makes no descriptor', (t) => {
  const before = openDescriptors().size
  const type = { code: 'ERR_INVALID_ARG_TYPE' }
  const range = { code: 'ERR_OUT_OF_RANGE' }
  const wrong: [unknown, { code: string }][] = [
    [null, type],
    ['127.0.0.1', type],
    [{ host: 1 }, type],
    [{ host: 'localhost' }, { code: 'ERR_INVALID_IP_ADDRESS' }],
    [{ port: '53' }, type],
    [{ port: 65536 }, range],
    [{ port: -1 }, range],
    [{ reuseAddr: 1 }, type],
    [{ reusePort: 'yes' }, type],
    [{ ipv6Only: null }, type],
  ]
  for (const [options, expected] of wrong) {
    t.throws(() => Datagram.udp(options as object), expected)
  }
  for (const path of [1, null, {}, ['/tmp']]) t.throws(() => Datagram.unix(path as string), type)
  t.equal(openDescriptors().size, before)
})

test('what is no argument sends and receives nothing', (t) => {
  using socket = Datagram.udp()
  const address = socket.address()
  for (const [value, expected] of [...bad.buffer, [undefined, { name: 'TypeError' }]] as Bad[]) {
    t.throws(() => socket.send(value as Buffer, address), expected)
    t.throws(() => socket.recv(value as Buffer), expected)
  }
  const wrong: [unknown, string][] = [
    ['127.0.0.1', 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ path: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ address: '127.0.0.1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ address: '127.0.0.1', port: 65536 }, 'ERR_OUT_OF_RANGE'],
    [{ address: 'localhost', port: 1 }, 'ERR_INVALID_IP_ADDRESS'],
  ]
  for (const [to, code] of wrong) {
    t.throws(() => socket.send(buffer, to as Address), { code })
    t.throws(() => socket.connect(to as Address), { code })
  }
  t.equal(socket.recv(buffer), null)
  const elsewhere = { path: '/somewhere/else' }
  t.throws(() => socket.send(buffer, elsewhere), errno('EAFNOSUPPORT', 'sendmsg'))
})
