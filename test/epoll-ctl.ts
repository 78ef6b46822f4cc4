import { Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { refused } from './fixtures/errno.js'
import {
  add,
  Descriptors,
  events,
  modify,
  type Ready,
  read,
  remove,
  wait,
  write,
} from './fixtures/kernel.js'

const { EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET, EPOLLONESHOT } = sys

/** The kernel promises no order. */
function byNumber(ready: Ready[]): Ready[] {
  return ready.sort(([, a], [, b]) => a - b)
}

test('C014 events that are asked for later are seen, as long as they hold', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLOUT])
  write(writing, 'x')
  t.strictSame(wait(epfd), [])
  modify(epfd, reading, EPOLLIN)
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
  read(reading)
  t.strictSame(wait(epfd), [])
  write(writing, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
})

test('C015 a socket that goes from reading to writing and back', (t) => {
  using fds = new Descriptors()
  const [socket, peer] = fds.pair()
  const epfd = fds.epoll([socket, EPOLLIN])
  t.strictSame(wait(epfd), [])
  write(peer, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, socket]])
  read(socket)
  t.strictSame(wait(epfd), [])
  modify(epfd, socket, EPOLLOUT)
  t.strictSame(wait(epfd), [[EPOLLOUT, socket]])
  modify(epfd, socket, EPOLLIN)
  t.strictSame(wait(epfd), [])
})

test('C016 C017 C018 each end of a pipe is reported for what it was asked for', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN], [writing, EPOLLIN])
  write(writing, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
  modify(epfd, writing, EPOLLOUT)
  write(writing, 'x')
  const both: Ready[] = [
    [EPOLLIN, reading],
    [EPOLLOUT, writing],
  ]
  t.strictSame(byNumber(wait(epfd)), byNumber(both))
  remove(epfd, writing)
  write(writing, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
})

test('C019 nothing comes once both ends are out', (t) => {
  using fds = new Descriptors()
  const [socket, peer] = fds.pair()
  const epfd = fds.epoll([socket, EPOLLIN], [peer, EPOLLIN])
  write(peer, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, socket]])
  modify(epfd, socket, EPOLLOUT)
  t.strictSame(wait(epfd), [[EPOLLOUT, socket]])
  remove(epfd, socket)
  remove(epfd, peer)
  t.strictSame(wait(epfd, 100), [])
})

test('C020 what was taken out can be added again, and brings nothing old', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN])
  write(writing, 'x')
  remove(epfd, reading)
  read(reading)
  add(epfd, reading, EPOLLIN)
  t.strictSame(wait(epfd), [])
})

test('C021 the receiver is told though the sender has been taken out', (t) => {
  using fds = new Descriptors()
  const [receiver, sender] = fds.pair()
  const epfd = fds.epoll([receiver, EPOLLIN], [sender, EPOLLIN])
  write(sender, 'ping')
  remove(epfd, sender)
  t.strictSame(wait(epfd), [[EPOLLIN, receiver]])
  t.equal(read(receiver), 'ping')
})

test('C022 C024 adding and deleting need no event', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const fd = fds.eventfd()
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, fd)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_DEL, fd)
  t.throws(() => sys.epoll_ctl(epfd, sys.EPOLL_CTL_DEL, fd), refused('ENOENT'))
})

test('C023 one is taken out and the other changed in the same breath', (t) => {
  using fds = new Descriptors()
  const [client, server] = fds.pair()
  const epfd = fds.epoll(
    [client, EPOLLIN | EPOLLOUT | EPOLLET],
    [server, EPOLLIN | EPOLLOUT | EPOLLET],
  )
  t.equal(wait(epfd).length, 2)
  remove(epfd, client)
  modify(epfd, server, EPOLLOUT)
  t.strictSame(wait(epfd), [[EPOLLOUT, server]])
  t.strictSame(wait(epfd), [[EPOLLOUT, server]])
})

test('C025 what was deleted is not reported, nor deleted or changed once more', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN])
  remove(epfd, reading)
  write(writing, 'x')
  t.strictSame(wait(epfd), [])
  t.throws(() => remove(epfd, reading), refused('ENOENT'))
  t.throws(() => modify(epfd, reading, EPOLLIN), refused('ENOENT'))
})

test('C026 the events have the values of poll(2)', (t) => {
  // Part of the kernel's binary interface, on all architectures: POLLIN, POLLPRI, POLLOUT, POLLERR
  // and POLLHUP.
  t.strictSame([EPOLLIN, EPOLLPRI, EPOLLOUT, EPOLLERR, EPOLLHUP], [1, 2, 4, 8, 16])
})

test('C027 deleting ignores the event', (t) => {
  using fds = new Descriptors()
  const fd = fds.eventfd(1)
  const epfd = fds.epoll([fd, EPOLLIN])
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_DEL, fd, 0xffffffff)
  t.strictSame(wait(epfd), [])
})

test('C028 data that came in between is seen at once when it is added again', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN])
  remove(epfd, reading)
  write(writing, 'x')
  t.strictSame(wait(epfd), [])
  add(epfd, reading, EPOLLIN)
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
})

test('C029 what is under way when all are taken out can still be read, unannounced', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const pipes = ['a', 'b', 'c'].map((text) => {
    const [reading, writing] = fds.pipe()
    add(epfd, reading, EPOLLIN)
    write(writing, text)
    return reading
  })
  for (const reading of pipes) remove(epfd, reading)
  t.strictSame(wait(epfd, 50), [])
  t.strictSame(
    pipes.map((reading) => read(reading)),
    ['a', 'b', 'c'],
  )
})

test('C056 every kind of descriptor is O_RDWR, and O_NONBLOCK if told so', (t) => {
  using fds = new Descriptors()
  const kinds: Record<string, (flags: number) => number> = {
    eventfd: (flags) => sys.eventfd(0, flags),
    timerfd: (flags) => sys.timerfd_create(sys.CLOCK_MONOTONIC, flags),
    signalfd: (flags) => sys.signalfd(-1, ['SIGUSR2'], flags),
  }
  for (const [kind, make] of Object.entries(kinds)) {
    t.equal(sys.fcntl_getfl(fds.own(make(0))), sys.O_RDWR, kind)
    const nonBlocking = fds.own(make(sys.O_NONBLOCK))
    t.equal(sys.fcntl_getfl(nonBlocking), sys.O_RDWR | sys.O_NONBLOCK, kind)
  }
  const epfd = fds.epoll()
  t.equal(sys.fcntl_getfl(epfd), sys.O_RDWR)
  sys.fcntl_setfl(epfd, sys.O_NONBLOCK)
  t.equal(sys.fcntl_getfl(epfd), sys.O_RDWR | sys.O_NONBLOCK)
})

test('C057 adding leaves O_NONBLOCK alone', (t) => {
  using fds = new Descriptors()
  const fd = fds.eventfd()
  fds.epoll([fd, 0])
  t.equal(sys.fcntl_getfl(fd), sys.O_RDWR | sys.O_NONBLOCK)
})

test('C058 an interest in nothing is one too', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const [reading, writing] = fds.pipe()
  const registration = epoll.add(reading, 0, 'quiet')
  write(writing, 'x')
  t.equal(
    epoll.wait(0, () => {}),
    0,
  )
  t.equal(registration.state, 'active')
  fds.close(writing)
  // A hang-up is reported whatever was asked for.
  t.equal(
    epoll.wait(0, (_, events) => t.equal(events, EPOLLHUP)),
    1,
  )
})

test('C059 each flag alone can be added and changed to', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<null>()
  const fd = fds.eventfd()
  const flags = { EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLPRI, EPOLLERR, EPOLLHUP }
  for (const [name, flag] of Object.entries({ ...flags, EPOLLET, EPOLLONESHOT })) {
    const registration = epoll.add(fd, flag, null)
    t.equal(registration.events, flag >>> 0, name)
    registration.modify(0)
    registration.modify(flag)
    t.equal(registration.events, flag >>> 0, name)
    t.ok(registration.remove(), name)
  }
})

test('C060 every combination of flags can be changed to', (t) => {
  using fds = new Descriptors()
  const fd = fds.eventfd()
  const epfd = fds.epoll([fd, 0])
  const flags = [EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLERR, EPOLLHUP, EPOLLET, EPOLLONESHOT, EPOLLRDHUP]
  let changes = 0
  for (let chosen = 0; chosen < 2 ** flags.length; chosen++) {
    const mask = flags.reduce((mask, flag, bit) => (chosen & (1 << bit) ? mask | flag : mask), 0)
    modify(epfd, fd, mask)
    changes++
  }
  t.equal(changes, 256)
})

test('C061 the last change of events and data is what counts', (t) => {
  using fds = new Descriptors()
  const [socket, peer] = fds.pair()
  const epfd = fds.epoll()
  write(peer, 'x')
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, socket, EPOLLIN, 1)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_MOD, socket, EPOLLIN, 1)
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_MOD, socket, EPOLLOUT, 2)
  t.strictSame(wait(epfd), [[EPOLLOUT, 2]])
})

test('C062 data that was changed after a wait comes with the next event', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll()
  add(epfd, reading, EPOLLIN, 1)
  t.strictSame(wait(epfd), [])
  sys.epoll_ctl(epfd, sys.EPOLL_CTL_MOD, reading, EPOLLIN, 2)
  write(writing, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, 2]])
})

test('C071 both words of the data come back whole, whatever the layout of the struct', (t) => {
  using fds = new Descriptors()
  const epfd = fds.epoll()
  const data: [low: number, high: number][] = [
    [0x89abcdef, 0xfedcba98],
    [0x01234567, 0x00000000],
    [0x00000000, 0xffffffff],
  ]
  for (const [low, high] of data) {
    sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, fds.eventfd(1), EPOLLIN, low, high)
  }
  const out = new Uint32Array(9)
  t.equal(sys.epoll_pwait(epfd, out, 0), 3)
  const lows = events(out, 3).map(([mask, low]) => {
    t.equal(mask, EPOLLIN)
    return low
  })
  t.strictSame(
    lows.map((low, i) => [low, out[3 * i + 2]]),
    data,
  )
})
