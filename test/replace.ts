// Epoll.replace: another file under a number, with its registrations.

import { openSync } from 'node:fs'
import {
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  Epoll,
  EventFd,
  FD_CLOEXEC,
  Fd,
  fdTable,
  type Registration,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { ReportingEpoll } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { errno } from './fixtures/errno.js'
import { Descriptors, read, write } from './fixtures/kernel.js'

test('the registration stays, under a new generation, and is for the new file', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const [fd, oldWriting] = fds.pipe()
  const [reading, writing] = fds.pipe()
  const registration = epoll.add(fd, EPOLLIN, 'data')
  const former = registration.generation
  const token = fdTable.token(fd)
  epoll.replace(reading, fd)
  t.not(registration.generation, former)
  t.equal(registration.generation, fdTable.generation(fd))
  t.equal(fdTable.isCurrent(token), false)
  t.equal(registration.state, 'active')
  t.equal(registration.verify(), 'current')
  t.equal(epoll.get(fd), registration)
  t.equal(epoll.size, 1)
  t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC)
  t.throws(() => write(oldWriting, 'x'), { code: 'EPIPE' }, 'the old file is closed')
  write(writing, 'new')
  t.strictSame(delivered(epoll), ['data'])
  t.equal(read(fd), 'new')
  fds.close(reading)
  write(writing, 'still')
  t.strictSame(delivered(epoll), ['data'], 'the number that was copied isn’t needed any more')
})

test('an Fd that owns the number owns it still', (t) => {
  const [number, oldWriting] = pipe()
  const [reading, writing] = pipe()
  using epoll = new Epoll<string>()
  const registration = epoll.add(number, EPOLLIN, 'data')
  const { fd, generation } = number
  epoll.replace(reading, number)
  t.equal(number.closed, false)
  t.equal(number.fd, fd)
  t.not(number.generation, generation)
  t.equal(number.generation, registration.generation)
  t.throws(() => Fd.adopt(fd), { code: 'EEXIST' })
  writing.write(Buffer.from('new'))
  t.strictSame(delivered(epoll), ['data'])
  const buffer = Buffer.alloc(8)
  t.equal(number.read(buffer), 3)
  t.equal(buffer.toString('latin1', 0, 3), 'new')
  number.close()
  t.equal(number.closed, true)
  t.throws(() => sys.fcntl_getfd(fd), { code: 'EBADF' })
  t.equal(registration.state, 'stale')
  t.equal(epoll.size, 0)
  t.equal(reading.closed, false)
  for (const end of [oldWriting, reading, writing]) end.close()
})

test('every Epoll of the thread keeps its registration, whatever it said of replacement', (t) => {
  using fds = new Descriptors()
  using first = new Epoll<string>()
  using second = new Epoll<string>()
  using third = new Epoll<string>()
  const fd = fds.eventfd()
  const registrations = [
    first.add(fd, EPOLLIN, 'first'),
    second.add(fd, EPOLLIN | EPOLLET, 'second'),
    third.add(fd, EPOLLIN, 'third', { onReplaced: 'follow' }),
  ]
  first.replace(fds.eventfd(1), fd)
  t.strictSame(
    [first, second, third].flatMap((epoll) => delivered(epoll)),
    ['first', 'second', 'third'],
  )
  for (const { stats } of [first, second, third]) t.equal(stats.stale, 0)
  for (const { state, generation } of registrations) {
    t.equal(state, 'active')
    t.equal(generation, fdTable.generation(fd))
  }
})

test('an Epoll that was closed since doesn’t stand in the way', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  using other = new Epoll()
  const fd = fds.eventfd()
  epoll.add(fd, EPOLLIN, 'data')
  other.add(fd, EPOLLIN, undefined)
  other.close()
  epoll.replace(fds.eventfd(1), fd)
  t.strictSame(delivered(epoll), ['data'])
})

test('what was ready in the new file before is reported, edge-triggered too', (t) => {
  for (const mask of [EPOLLIN, EPOLLIN | EPOLLET]) {
    using fds = new Descriptors()
    using epoll = new Epoll<string>()
    const fd = fds.eventfd(1)
    epoll.add(fd, mask, 'data')
    t.strictSame(delivered(epoll), ['data'])
    epoll.replace(fds.eventfd(7), fd)
    t.strictSame(delivered(epoll), ['data'])
    t.equal(sys.eventfd_read(fd), 7n)
    t.strictSame(delivered(epoll), [])
    sys.eventfd_write(fd, 1)
    t.strictSame(delivered(epoll), ['data'])
  }
})

test('what was ready in the old file alone is not', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const fd = fds.eventfd(1)
  fds.own(sys.dup(fd)) // keeps the old file, and would keep its entry
  epoll.add(fd, EPOLLIN, undefined)
  epoll.replace(fds.eventfd(), fd)
  t.strictSame(delivered(epoll), [])
  t.equal(epoll.stats.stale, 0)
  t.strictSame(epoll.audit().counts, { live: 1, zombie: 0, lost: 0, replaced: 0 })
})

test('replaced by a handler, the old file’s event of the same batch is dropped', (t) => {
  for (const count of [0, 1]) {
    for (const trigger of [0, EPOLLET]) {
      using fds = new Descriptors()
      using epoll = new Epoll<number>()
      const numbers = [fds.eventfd(1), fds.eventfd(1)]
      const replacement = fds.eventfd(count)
      const registrations = epoll.addAll(numbers.map((fd) => [fd, EPOLLIN | trigger, fd]))
      const seen: Registration<number>[] = []
      epoll.wait(0, (registration) => {
        const other = numbers.find((fd) => fd !== registration.fd)!
        if (seen.push(registration) === 1) epoll.replace(replacement, other)
      })
      t.strictSame(seen, registrations.slice(0, 1))
      t.equal(epoll.stats.stale, 1)
      sys.eventfd_read(seen[0]!.fd)
      t.strictSame(delivered(epoll), count === 0 ? [] : [registrations[1]!.fd])
      t.equal(epoll.stats.stale, 1)
    }
  }
})

test('replaced twice by another Epoll, once before the batch was read, once by a handler', (t) => {
  using fds = new Descriptors()
  using replacing = new Epoll()
  using epoll = new ReportingEpoll()
  const numbers = [fds.eventfd(), fds.eventfd()]
  const [ready, last] = [fds.eventfd(1), fds.eventfd(2)] as const
  for (const fd of numbers) {
    replacing.add(fd, EPOLLIN, undefined)
    epoll.add(fd, EPOLLIN | EPOLLET, `${fd}`)
    replacing.replace(ready, fd)
  }
  let second = -1
  epoll.wait(0, ({ fd }) => {
    if (second !== -1) return t.fail('delivered')
    second = numbers.find((number) => number !== fd)!
    replacing.replace(last, second)
  })
  t.equal(epoll.stats.stale, 1)
  t.strictSame(epoll.reports, [], 'its entry was deleted')
  t.strictSame(delivered(epoll), [`${second}`])
  t.equal(sys.eventfd_read(second), 2n)
})

test('a handler may replace its own number', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd(1)
  const replacement = fds.eventfd(2)
  epoll.add(fd, EPOLLIN | EPOLLET, 'data')
  epoll.wait(0, () => epoll.replace(replacement, fd))
  t.strictSame(delivered(epoll), ['data'])
  t.equal(sys.eventfd_read(fd), 2n)
})

test('a one-shot stays armed, or disarmed', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd()
  const registration = epoll.add(fd, EPOLLIN | EPOLLONESHOT, 'data')
  epoll.replace(fds.eventfd(1), fd)
  t.strictSame(delivered(epoll), ['data'])
  t.equal(registration.state, 'disarmed')
  epoll.replace(fds.eventfd(2), fd)
  t.equal(registration.state, 'disarmed')
  t.strictSame(delivered(epoll), [])
  t.strictSame(delivered(epoll), [])
  registration.modify(EPOLLIN | EPOLLONESHOT)
  t.strictSame(delivered(epoll), ['data'])
  t.equal(sys.eventfd_read(fd), 2n)
})

test('the mask is the one that was asked for last', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const fd = fds.eventfd()
  const registration = epoll.add(fd, EPOLLIN, undefined)
  registration.modify(EPOLLOUT | EPOLLET)
  epoll.replace(fds.eventfd(1), fd)
  t.equal(registration.events, (EPOLLOUT | EPOLLET) >>> 0)
  epoll.wait(0, (_, events) => t.equal(events, EPOLLOUT))
  t.equal(epoll.stats.delivered, 1)
})

test('the registration can be modified and removed as before', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd()
  const registration = epoll.add(fd, 0, 'data')
  epoll.replace(fds.eventfd(1), fd)
  t.strictSame(delivered(epoll), [])
  registration.modify(EPOLLIN)
  t.strictSame(delivered(epoll), ['data'])
  t.equal(registration.remove(), true)
  t.equal(registration.state, 'removed')
  t.strictSame(delivered(epoll), [])
  t.throws(() => epoll.replace(fds.eventfd(1), fd), errno('ENOENT', 'dup3'))
})

test('a hundred times over, each generation is another and one entry is left', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  const fd = fds.eventfd()
  const files = [fds.eventfd(1), fds.eventfd(2)]
  const registration = epoll.add(fd, EPOLLIN | EPOLLET, 'data')
  const generations = new Set([registration.generation])
  for (let i = 1; i <= 100; i++) {
    epoll.replace(files[i % 2]!, fd)
    t.strictSame(delivered(epoll), ['data'])
    generations.add(registration.generation)
  }
  t.equal(generations.size, 101)
  t.strictSame(epoll.audit().counts, { live: 1, zombie: 0, lost: 0, replaced: 0 })
})

test('the file that is copied may be registered too, and stays so', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  using number = new EventFd()
  const registration = epoll.add(bell, EPOLLIN, 'bell')
  const { generation } = registration
  epoll.add(number, EPOLLIN, 'number')
  epoll.replace(bell, number)
  t.equal(registration.generation, generation)
  t.strictSame(delivered(epoll).sort(), ['bell', 'number'])
  number.close()
  t.strictSame(delivered(epoll), ['bell'])
})

test('sys.dup3 over a number ends its registrations, but for those that follow', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<string>()
  using follower = new Epoll<string>()
  const fd = fds.eventfd(1)
  fds.own(sys.dup(fd)) // keeps the old file, and would keep its entries
  const stale = epoll.add(fd, EPOLLIN, 'stale')
  const following = follower.add(fd, EPOLLIN, 'following', { onReplaced: 'follow' })
  const former = following.generation
  sys.dup3(fds.eventfd(2), fd, 0)
  t.equal(stale.state, 'stale')
  t.equal(epoll.size, 0)
  t.strictSame(delivered(epoll), [])
  t.strictSame(delivered(follower), ['following'])
  t.equal(following.state, 'active')
  t.not(following.generation, former)
  t.equal(following.generation, fdTable.generation(fd))
  t.equal(sys.eventfd_read(fd), 2n)
  t.strictSame(
    [epoll, follower].map(({ stats }) => stats.stale),
    [0, 0],
  )
})

test('sys.dup3 of what can’t be polled ends one that follows too', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const fd = fds.eventfd(1)
  const registration = epoll.add(fd, EPOLLIN, undefined, { onReplaced: 'follow' })
  sys.dup3(fds.own(openSync('/dev/null', 'r')), fd, 0)
  t.equal(registration.state, 'stale')
  t.equal(epoll.size, 0)
  t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', name: 'StaleRegistrationError' })
  t.strictSame(delivered(epoll), [])
})
