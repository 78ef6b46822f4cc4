import { openSync } from 'node:fs'
import { Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { refused } from './fixtures/errno.js'
import { Descriptors, modify, read, remove, wait, write } from './fixtures/kernel.js'

const { EPOLLIN, EPOLLONESHOT, EPOLLOUT } = sys

test('C162 the handler of a one-shot runs once, though its data stays unread', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<null>()
  const [reading, writing] = fds.pipe()
  write(writing, '\n')
  const registration = epoll.add(reading, EPOLLIN | EPOLLONESHOT, null)
  const seen: number[] = []
  const visit = (_: unknown, events: number) => seen.push(events)
  t.strictSame([epoll.wait(100, visit), epoll.wait(100, visit)], [1, 0])
  t.strictSame(seen, [EPOLLIN])
  t.equal(registration.state, 'disarmed')
})

test('C163 one of three is changed to a one-shot', (t) => {
  using fds = new Descriptors()
  const [a, b, c] = [fds.eventfd(), fds.eventfd(), fds.eventfd()]
  const epfd = fds.epoll([a, EPOLLIN], [b, EPOLLIN], [c, EPOLLIN])
  modify(epfd, b, EPOLLOUT | EPOLLONESHOT)
  t.strictSame(wait(epfd), [[EPOLLOUT, b]])
  t.strictSame(wait(epfd, 100), [])
})

test('C164 new data does not arm a one-shot; a change does', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN | EPOLLONESHOT])
  write(writing, 'x')
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
  read(reading)
  t.strictSame(wait(epfd), [])
  write(writing, 'x')
  t.strictSame(wait(epfd), [])
  modify(epfd, reading, EPOLLIN | EPOLLONESHOT)
  t.strictSame(wait(epfd), [[EPOLLIN, reading]])
})

test('C165 a one-shot that has fired is still registered', (t) => {
  using fds = new Descriptors()
  const random = fds.own(openSync('/dev/random', 'r'))
  const epfd = fds.epoll([random, EPOLLIN | EPOLLONESHOT])
  t.strictSame(wait(epfd), [[EPOLLIN, random]])
  t.strictSame(wait(epfd), [])
  t.throws(
    () => sys.epoll_ctl(epfd, sys.EPOLL_CTL_ADD, random, EPOLLIN),
    refused('EEXIST'),
    'though it is silent',
  )
  remove(epfd, random)
  t.throws(() => remove(epfd, random), refused('ENOENT'))
})
