import { EPOLLIN, EventFd, FD_CLOEXEC, Fd, Loop, MSG_CTRUNC, sameFile } from 'genpoll'
import { Listener, type ReceivedFds, Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { type Bad, bad } from './fixtures/bad.js'
import { openDescriptors, test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Kept, soon } from './fixtures/net.js'
import { binding } from './fixtures/watched.js'

const TOO_MANY = 254
const buffer = Buffer.alloc(64)

function receive(kept: Kept, socket: Socket): ReceivedFds {
  const message = soon(socket.fd, () => socket.recvFds(buffer))
  for (const fd of message.fds) kept.one(fd)
  return message
}

/** Two sockets whose messages stay apart. */
function packets(kept: Kept): [Socket, Socket] {
  const type = sys.SOCK_SEQPACKET | sys.SOCK_CLOEXEC | sys.SOCK_NONBLOCK
  const [a, b] = sys.socketpair(sys.AF_UNIX, type, 0)
  return kept.both([Socket.adopt(a), Socket.adopt(b)])
}

test('a descriptor arrives under another number, owned and CLOEXEC', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  const bell = kept.one(new EventFd())
  t.equal(a.sendFds([bell]), 1)
  const { count, fds } = receive(kept, b)
  t.equal(count, 1)
  t.equal(buffer[0], 0)
  t.equal(fds.length, 1)
  const [got] = fds as [Fd]
  t.type(got, Fd)
  t.not(got.fd, bell.fd)
  t.equal(sameFile(got.fd, bell.fd), true)
  t.equal(sys.fcntl_getfd(got.fd), FD_CLOEXEC)
  t.throws(() => Fd.adopt(got.fd), errno('EEXIST', 'adopt'))
  bell.write(7)
  bell.close()
  t.equal(got.read(buffer), 8)
  t.equal(buffer.readBigUInt64LE(), 7n)
  t.equal(b.recvFds(buffer), null)
})

test('plain numbers, owned ones and objects with a number, with bytes of their own', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  const [reading, writing] = kept.both(pipe())
  const plain = sys.dup(writing.fd)
  const sent = [reading, plain, { fd: writing.fd }, reading]
  t.equal(a.sendFds(sent, Buffer.from('four')), 4)
  sys.close(plain)
  const { count, fds } = receive(kept, b)
  t.equal(buffer.toString('latin1', 0, count), 'four')
  t.same(
    fds.map((fd) => sameFile(fd.fd, reading.fd)),
    [true, false, false, true],
  )
  t.equal(fds[1]!.write(Buffer.from('through')), 7)
  t.equal(fds[0]!.read(buffer), 7)
  t.equal(buffer.toString('latin1', 0, 7), 'through')
})

test('253 at once, and no more', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  const many = new Array(253).fill(a)
  t.equal(a.sendFds(many), 1)
  const { fds } = receive(kept, b)
  t.equal(fds.length, 253)
  t.equal(new Set(fds.map(({ fd }) => fd)).size, 253)
  t.equal(
    fds.every(({ fd }) => sameFile(fd, a.fd)),
    true,
  )
  for (const count of [TOO_MANY, 1000]) {
    t.throws(() => a.sendFds(new Array(count).fill(a)), errno('EINVAL', 'sendmsg'))
  }
  t.equal(b.recvFds(buffer), null)
})

test('none are bytes alone', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  t.equal(a.sendFds([], Buffer.from('bytes')), 5)
  t.same(receive(kept, b), { count: 5, fds: [] })
})

test('descriptors go with the first of their bytes', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  a.sendFds([a], Buffer.from('one'))
  a.sendFds([a, a], Buffer.from('two'))
  const small = buffer.subarray(0, 2)
  const got: [string, number][] = []
  for (let it = b.recvFds(small); it !== null; it = b.recvFds(small)) {
    for (const fd of it.fds) kept.one(fd)
    got.push([small.toString('latin1', 0, it.count), it.fds.length])
  }
  t.same(got[0], ['on', 1])
  t.equal(got.map(([text]) => text).join(''), 'onetwo')
  t.same(
    got.map(([, count]) => count).filter((count) => count > 0),
    [1, 2],
  )
})

test('the end of the stream, and a peer that is gone', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  a.close()
  t.same(b.recvFds(buffer), { count: 0, fds: [] })
  t.throws(() => b.sendFds([b]), errno('EPIPE', 'sendmsg'))
})

test('a peer that doesn’t read: would block', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  const large = Buffer.alloc(1 << 24)
  const count = a.sendFds([b], large)!
  t.ok(count > 0 && count < large.length)
  t.equal(a.sendFds([b], large), null)
  t.equal(receive(kept, b).fds.length, 1)
})

test('a closed number can’t be sent, and nothing is', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  t.throws(() => a.sendFds([a, NOT_OPEN]), errno('EBADF', 'sendmsg'))
  const closed = ready()
  closed.close()
  t.throws(() => a.sendFds([a, closed]), { name: 'ClosedError', code: 'ERR_CLOSED' })
  t.equal(b.recvFds(buffer), null)
})

test('what is no descriptor, and no buffer', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  for (const [value, expected] of bad.int32) {
    t.throws(() => a.sendFds([value as number]), expected)
  }
  for (const fds of [undefined, null, 1, 'fds', a, new Int32Array([a.fd]), new Set([a.fd])]) {
    t.throws(() => a.sendFds(fds as never), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  for (const [value, expected] of bad.buffer as Bad[]) {
    t.throws(() => a.sendFds([a], value as Buffer), expected)
    t.throws(() => a.recvFds(value as Buffer), expected)
  }
  t.equal(b.recvFds(buffer), null)
})

test('without a byte they would be lost', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  t.throws(() => a.sendFds([a], Buffer.alloc(0)), { code: 'ERR_OUT_OF_RANGE' })
  t.equal(b.recvFds(buffer), null)
})

test('a buffer without room is refused, and the descriptors stay', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  a.sendFds([a])
  const expected = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message: /"buffer"/ }
  t.throws(() => b.recvFds(new Uint8Array(0)), expected)
  t.equal(receive(kept, b).fds.length, 1)
})

test('a packet that is longer than the buffer: what came along is closed', (t) => {
  using kept = new Kept()
  const [a, b] = packets(kept)
  const before = openDescriptors().size
  a.sendFds([a, b], Buffer.alloc(buffer.length + 1))
  t.throws(() => b.recvFds(buffer), { ...errno('EMSGSIZE', 'recvmsg'), fd: b.fd })
  t.equal(openDescriptors().size, before)
  a.sendFds([a], Buffer.alloc(buffer.length))
  const { count, fds } = receive(kept, b)
  t.same([count, fds.length], [buffer.length, 1])
})

test('through packets', (t) => {
  using kept = new Kept()
  const [a, b] = packets(kept)
  a.sendFds([a], Buffer.from('one'))
  a.sendFds([b, b], Buffer.from('two'))
  t.same(
    [receive(kept, b), receive(kept, b)].map(({ count, fds }) => [count, fds.length]),
    [
      [3, 1],
      [3, 2],
    ],
  )
})

test('TCP has no way for descriptors', (t) => {
  using kept = new Kept()
  const listener = kept.one(Listener.tcp())
  const { port } = listener.address() as { port: number }
  const a = kept.one(Socket.connect({ port }))
  const b = kept.one(soon(listener.fd, () => listener.accept()))
  t.equal(a.sendFds([a]), 1)
  t.same(receive(kept, b), { count: 1, fds: [] })
})

test('plain reads drop what comes along', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  const [reading, writing] = kept.both(pipe())
  const before = openDescriptors().size
  a.sendFds([writing], Buffer.from('bytes'))
  writing.close()
  t.equal(b.read(buffer), 5)
  t.equal(openDescriptors().size, before - 1)
  t.equal(reading.read(buffer), 0)
})

test('what was received is watched and closed like any other', (t) => {
  using kept = new Kept()
  const loop = kept.one(new Loop())
  const [a, b] = kept.both(Socket.pair())
  const bell = kept.one(ready())
  a.sendFds([bell])
  const [got] = receive(kept, b).fds as [Fd]
  const seen: number[] = []
  loop.watch(got, EPOLLIN, (events, source) => {
    seen.push(events)
    source.remove()
  })
  loop.run()
  t.same(seen, [EPOLLIN])
  got.close()
  t.equal(bell.read(), 1)
})

test('credentials that weren’t asked for: all that came is closed', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  sys.setsockopt(b.fd, sys.SOL_SOCKET, sys.SO_PASSCRED, 1)
  const before = openDescriptors().size
  for (const fds of [[], [a], [a, b, a]]) {
    a.sendFds(fds)
    t.throws(() => b.recvFds(buffer), { ...errno('EMSGSIZE', 'recvmsg'), fd: b.fd })
  }
  t.equal(openDescriptors().size, before)
  sys.setsockopt(b.fd, sys.SOL_SOCKET, sys.SO_PASSCRED, 0)
  a.sendFds([a])
  t.equal(receive(kept, b).fds.length, 1)
})

const SO_PASSPIDFD = 76

function noPassPidfd(): string | false {
  const fd = sys.socket(sys.AF_UNIX, sys.SOCK_STREAM | sys.SOCK_CLOEXEC, 0)
  try {
    sys.setsockopt(fd, sys.SOL_SOCKET, SO_PASSPIDFD, 1)
    return false
  } catch {
    return 'the kernel has no SO_PASSPIDFD (6.5)'
  } finally {
    sys.close(fd)
  }
}

test(
  'a pidfd that wasn’t asked for is closed as well',
  (t) => {
    using kept = new Kept()
    const [a, b] = kept.both(Socket.pair())
    sys.setsockopt(b.fd, sys.SOL_SOCKET, SO_PASSPIDFD, 1)
    const before = openDescriptors().size
    a.sendFds([a])
    t.throws(() => b.recvFds(buffer), errno('EMSGSIZE', 'recvmsg'))
    t.equal(openDescriptors().size, before)
  },
  { skip: noPassPidfd() },
)

test('sys.sendmsg and sys.recvmsg: numbers, and flags as they are given', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  const parts = [Buffer.from('two '), Buffer.from('parts')]
  t.equal(sys.sendmsg(a.fd, { buffers: parts, fds: [a.fd, b.fd] }, sys.MSG_NOSIGNAL), 9)
  const into = [Buffer.alloc(3), Buffer.alloc(16)]
  const message = sys.recvmsg(b.fd, into, sys.MSG_PEEK)!
  t.match(message, { bytes: 9, flags: 0, address: null, others: 0 })
  t.equal(Buffer.concat(into).toString('latin1', 0, 9), 'two parts')
  const again = sys.recvmsg(b.fd, into, sys.MSG_CMSG_CLOEXEC)!
  const flags = (fds: number[]) => fds.map((fd) => sys.fcntl_getfd(fd))
  t.same(
    [flags(message.fds), flags(again.fds)],
    [
      [0, 0],
      [FD_CLOEXEC, FD_CLOEXEC],
    ],
  )
  t.equal(sameFile(message.fds[1]!, b.fd) && sameFile(again.fds[1]!, b.fd), true)
  for (const fd of [...message.fds, ...again.fds]) sys.close(fd)
  t.equal(sys.recvmsg(b.fd, into, 0), null)
})

test('sys.sendmsg: descriptors that can’t be sent', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  const send = (fds: unknown) => sys.sendmsg(a.fd, { buffers: [buffer], fds: fds as number[] }, 0)
  for (const fd of [-1, NOT_OPEN, 2 ** 31 - 1]) {
    t.throws(() => send([fd]), errno('EBADF', 'sendmsg'))
  }
  for (const count of [TOO_MANY, 10_000]) {
    t.throws(() => send(new Array(count).fill(a.fd)), errno('EINVAL', 'sendmsg'))
  }
  for (const [value, expected] of bad.int32) t.throws(() => send([value]), expected)
  for (const fds of [null, 1, 'fds', new Int32Array(1), {}]) {
    t.throws(() => send(fds), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  t.equal(sys.recvmsg(b.fd, [buffer], 0), null)
})

test('memory that is taken away while the buffers are looked at isn’t written to', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  a.write(Buffer.alloc(8, 'x'))
  const memory = new ArrayBuffer(8)
  const buffers = [new Uint8Array(memory), new Uint8Array(1)]
  const moved: Uint8Array[] = []
  const take = () => {
    if (memory.byteLength > 0) {
      moved.push(new Uint8Array(structuredClone(memory, { transfer: [memory] })))
    }
    return new Uint8Array(1)
  }
  Object.defineProperty(buffers, 1, { get: take })
  t.match(sys.recvmsg(b.fd, buffers, 0), { bytes: 1 })
  t.same(moved, [new Uint8Array(8)])
})

test('the addon closes what there is no room for', (t) => {
  using kept = new Kept()
  const [a, b] = kept.both(Socket.pair())
  a.sendFds([a, b, a])
  const before = openDescriptors().size
  const out = new Int32Array(1)
  t.equal(binding.recvmsg(b.fd, 0, [buffer], out), 1)
  const [, flags, count] = binding.registers
  t.same([flags! & MSG_CTRUNC, count], [MSG_CTRUNC, 1])
  t.equal(openDescriptors().size, before + 1)
  sys.close(out[0]!)
})
