// What a wait or a read hands over: each event once, and nothing for nothing.

import {
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  Epoll,
  EventFd,
  Loop,
  PidFd,
  SignalFd,
  TimerFd,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { errno, NOT_OPEN } from './fixtures/errno.js'
import { Descriptors, write } from './fixtures/kernel.js'
import { thrownBy } from './fixtures/thrown.js'

test('C439 a call that succeeds knows nothing of one that failed before it', (t) => {
  const failBefore = <T>(call: () => T): T => {
    const error = thrownBy(() => sys.epoll_ctl(NOT_OPEN, sys.EPOLL_CTL_DEL, NOT_OPEN))
    t.match(error, errno('EBADF', 'epoll_ctl'))
    return call()
  }
  using epoll = failBefore(() => new Epoll<TimerFd>())
  const timer = failBefore(() => new TimerFd())
  t.equal(
    failBefore(() => timer.read()),
    null,
  )
  failBefore(() => timer.set({ delayMs: 1 }))
  failBefore(() => epoll.add(timer, EPOLLIN, timer))
  t.strictSame(
    failBefore(() => delivered(epoll, -1)),
    [timer],
  )
  t.equal(
    failBefore(() => timer.read()),
    1,
  )
  failBefore(() => timer.close())
  t.equal(epoll.size, 0)
})

test('C451 what a wait has handed over is left in no list', (t) => {
  using epoll = new Epoll<string>()
  using bell = ready()
  using other = ready()
  epoll.add(bell, EPOLLIN | EPOLLET, 'bell')
  epoll.add(other, EPOLLIN | EPOLLET, 'other')
  t.strictSame(new Set(delivered(epoll)), new Set(['bell', 'other']))
  t.strictSame(delivered(epoll), [])
  bell.write()
  t.strictSame(delivered(epoll), ['bell'])
  t.strictSame(epoll.stats, { waits: 3, delivered: 3, stale: 0, rebuilds: 0 })
})

test('C452 four sockets, one-shot: a list of all events grows by one each', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<number>()
  const pairs = Array.from({ length: 4 }, () => fds.pair())
  pairs.forEach(([reading], i) => void epoll.add(reading, EPOLLIN | EPOLLONESHOT, i))
  const list: number[] = []
  for (const [i, [, writing]] of pairs.entries()) {
    write(writing, 'x')
    t.equal(
      epoll.wait(-1, ({ data }) => list.push(data)),
      1,
    )
    t.equal(list.length, i + 1)
  }
  t.strictSame(list, [0, 1, 2, 3])
  t.equal(
    epoll.wait(0, () => {}),
    0,
  )
})

test('C462 nothing pending is null, or no event: never an error', (t) => {
  using bell = new EventFd()
  using timer = new TimerFd()
  using signals = new SignalFd(['SIGUSR2'])
  using self = new PidFd(process.pid)
  using epoll = new Epoll<null>()
  using loop = new Loop()
  const [reading, writing] = pipe()
  for (const one of [bell, timer, signals]) {
    t.equal(one.read(), null)
    epoll.add(one, EPOLLIN, null)
  }
  t.equal(bell.readBig(), null)
  t.equal(reading.read(Buffer.alloc(1)), null)
  t.equal(self.info(), null)
  t.equal(
    epoll.wait(0, () => t.fail('called')),
    0,
  )
  t.equal(loop.runOnce(0), 0)
  reading.close()
  writing.close()
})
