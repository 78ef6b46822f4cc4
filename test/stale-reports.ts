// What an Epoll says of events that nobody is registered for any more: to its `onStale`, and on the
// diagnostics channels.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { closeSync } from 'node:fs'
import {
  EPOLL_CTL_ADD,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  EventFd,
  fdTable,
  type RebuildReport,
  type StaleReport,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias, fdinfo, ReportingEpoll, untilRebuilt } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready, recycle } from './fixtures/descriptors.js'
import { Descriptors, write } from './fixtures/kernel.js'

/** What is published on a channel while `body` runs. */
function published(name: string, body: () => void): unknown[] {
  const messages: unknown[] = []
  const listener = (message: unknown): void => {
    messages.push(message)
  }
  subscribe(name, listener)
  try {
    body()
  } finally {
    unsubscribe(name, listener)
  }
  return messages
}

test('a number that was retired and still names its file: deleted by its number', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = fds.eventfd(1)
  const { generation } = epoll.add(fd, EPOLLIN | EPOLLOUT, 'former')
  const [line] = fdinfo(epoll.fd)
  fdTable.retire(fd)
  t.strictSame(delivered(epoll), [])
  const report = { fd, generation, cause: 'closed', action: 'deleted', fdinfo: line! }
  t.strictSame(epoll.reports, [{ ...report, events: ['EPOLLIN', 'EPOLLOUT'] }])
  t.strictSame(fdinfo(epoll.fd), [])
  t.strictSame(epoll.stats, { waits: 1, delivered: 0, stale: 1, rebuilds: 0 })
})

test('a recycled number whose file genpoll knows by another: deleted by that', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const [reading, writing] = fds.pipe()
  fds.own(sys.dup(reading))
  const { generation } = epoll.add(reading, EPOLLIN | EPOLLET, 'former')
  const [line] = fdinfo(epoll.fd)
  write(writing, 'x')
  fds.close(writing)
  recycle(reading)
  t.strictSame(delivered(epoll), [])
  const report = { fd: reading, generation, cause: 'replaced', action: 'deleted', fdinfo: line! }
  t.strictSame(epoll.reports, [{ ...report, events: ['EPOLLIN', 'EPOLLHUP'] }])
  t.strictSame(fdinfo(epoll.fd), [])
})

test('one that only a rebuild can remove is reported when it is met, and when it is gone', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = alias(fds.eventfd(1))
  const { generation } = epoll.add(fd, EPOLLIN, 'former')
  const [line] = fdinfo(epoll.fd)
  closeSync(fd)
  delivered(epoll)
  const report = { fd, generation, events: ['EPOLLIN'], cause: 'closed', fdinfo: line! }
  t.strictSame(epoll.reports, [{ ...report, action: 'deferred' }])
  untilRebuilt(epoll)
  t.strictSame(epoll.reports.slice(1), [{ ...report, action: 'rebuilt' }])
  t.strictSame(fdinfo(epoll.fd), [])
})

test('an entry that genpoll never made is deleted, its cause unknown', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = fds.eventfd(1)
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_ADD, fd, EPOLLIN, fd, 7)
  const [line] = fdinfo(epoll.fd)
  delivered(epoll)
  const report = { fd, generation: 7, events: ['EPOLLIN'], fdinfo: line! }
  t.strictSame(epoll.reports, [{ ...report, cause: 'unknown', action: 'deleted' }])
  t.strictSame(fdinfo(epoll.fd), [])
})

test('an entry whose data is no descriptor’s is got rid of by a rebuild', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  for (const low of [0xffffffff, 2 ** 20]) {
    sys.epoll_ctl(epoll.fd, EPOLL_CTL_ADD, fds.eventfd(1), EPOLLIN, low, 0xffffffff)
    epoll.reports.length = 0
    untilRebuilt(epoll)
    const report = { fd: low, generation: 0xffffffff, cause: 'unknown', fdinfo: /^tfd:/ }
    t.match(epoll.reports, [
      { ...report, action: 'deferred' },
      { ...report, action: 'rebuilt' },
    ])
    t.strictSame(fdinfo(epoll.fd), [])
  }
})

test('the channel genpoll:stale has the same reports, with an onStale and without', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  using silent = new Epoll<string>()
  const lines: string[] = []
  const messages = published('genpoll:stale', () => {
    for (const one of [epoll, silent]) {
      const fd = alias(fds.eventfd(1))
      one.add(fd, EPOLLIN, 'former')
      lines.push(...fdinfo(one.fd))
      closeSync(fd)
      untilRebuilt(one)
    }
  }) as StaleReport[]
  t.strictSame(messages.slice(0, 2), epoll.reports)
  t.strictSame(
    messages.map(({ action, fdinfo }) => [action, fdinfo]),
    lines.flatMap((line) => [
      ['deferred', line],
      ['rebuilt', line],
    ]),
  )
})

test('the channel genpoll:rebuild tells what a rebuild cost, and what the stale events did', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  epoll.add(fds.eventfd(), EPOLLIN, 'idle')
  epoll.add(fds.eventfd(), EPOLLIN, 'idle too')
  const fd = alias(fds.eventfd(1))
  epoll.add(fd, EPOLLIN, 'former')
  closeSync(fd)
  const [due, explicit, ...others] = published('genpoll:rebuild', () => {
    untilRebuilt(epoll)
    epoll.rebuild()
  }) as RebuildReport[]
  t.strictSame(others, [])
  t.strictSame(due, { ...due, fd: epoll.fd, registrations: 2 })
  t.ok(due!.costNs > 0)
  t.ok(due!.staleNs > 0)
  t.strictSame(explicit, { ...due, costNs: explicit!.costNs, staleNs: 0 })
})

/** An Epoll whose `onStale` is told `react`, with a zombie that only a rebuild removes, and a bell. */
function reacting(
  react: (report: StaleReport, epoll: Epoll<string>, bell: EventFd) => void,
  body: (epoll: Epoll<string>, bell: EventFd) => void,
): void {
  using fds = new Descriptors()
  using bell = new EventFd()
  using epoll: Epoll<string> = new Epoll<string>({
    onStale: (report) => react(report, epoll, bell),
  })
  const fd = alias(fds.eventfd(1))
  epoll.add(fd, EPOLLIN, 'former')
  epoll.add(bell, EPOLLIN | EPOLLET, 'bell')
  closeSync(fd)
  body(epoll, bell)
}

const failure = new Error('thrown by onStale')

test('an onStale that throws ends the wait, and the next one delivers the rest', (t) => {
  reacting(
    () => {
      throw failure
    },
    (epoll, bell) => {
      bell.write()
      t.throws(() => delivered(epoll), failure)
      t.strictSame(epoll.stats, { waits: 1, delivered: 0, stale: 1, rebuilds: 0 })
      t.strictSame(delivered(epoll), ['bell'])
      t.strictSame(epoll.stats, { waits: 1, delivered: 1, stale: 1, rebuilds: 0 })
    },
  )
})

test('an onStale that throws keeps no zombie from being removed', (t) => {
  const thrown: unknown[] = []
  reacting(
    ({ action }) => {
      throw action
    },
    (epoll) => {
      while (!thrown.includes('rebuilt')) {
        try {
          untilRebuilt(epoll)
        } catch (action) {
          thrown.push(action)
        }
      }
      t.strictSame(thrown, ['deferred', 'rebuilt'])
      t.equal(fdinfo(epoll.fd).length, 1)
      const { stale } = epoll.stats
      t.strictSame(delivered(epoll), [])
      t.equal(epoll.stats.stale, stale)
    },
  )
})

test('when a rebuild removes several, an onStale that throws hears of them all', (t) => {
  using fds = new Descriptors()
  const heard: string[] = []
  using epoll = new Epoll<string>({
    onStale: ({ action }) => {
      heard.push(action)
      throw failure
    },
  })
  for (const data of ['one', 'two', 'three']) {
    const fd = alias(fds.eventfd(1))
    epoll.add(fd, EPOLLIN, data)
    closeSync(fd)
  }
  // Twice each: only what is still there in a second batch is in the kernel’s list for certain.
  for (let i = 0; i < 3; i++) t.throws(() => delivered(epoll), failure)
  t.strictSame(delivered(epoll), [])
  t.throws(() => epoll.rebuild(), failure)
  t.strictSame(heard, [...Array(3).fill('deferred'), ...Array(3).fill('rebuilt')])
  t.equal(epoll.stats.rebuilds, 1)
})

test('an onStale may wait on another Epoll, also when a rebuild reports', (t) => {
  using other = new Epoll<string>()
  using ringing = ready()
  other.add(ringing, EPOLLIN, 'other')
  const seen: string[] = []
  reacting(
    ({ action }, _, bell) => {
      seen.push(action, ...delivered(other))
      if (action === 'rebuilt') bell.write()
    },
    (epoll) => {
      seen.push(...untilRebuilt(epoll))
      const { stale } = epoll.stats
      t.strictSame(delivered(epoll), [])
      t.equal(epoll.stats.stale, stale)
      t.strictSame(seen, ['deferred', 'other', 'rebuilt', 'other', 'bell'])
    },
  )
})

test('an onStale may wait on the same Epoll', (t) => {
  const seen: string[] = []
  reacting(
    (_, epoll) => seen.push(...delivered(epoll)),
    (epoll, bell) => {
      bell.write()
      t.strictSame(delivered(epoll), [], 'nothing is left for the outer wait')
      t.strictSame(seen, ['bell'])
    },
  )
})

for (const when of ['deferred', 'rebuilt']) {
  test(`an onStale may close the Epoll, at “${when}”: the wait is over`, (t) => {
    reacting(
      ({ action }, epoll) => {
        if (action === when) epoll.close()
      },
      (epoll) => {
        t.equal(
          epoll.wait(-1, () => t.fail('delivered')),
          0,
        )
        t.equal(epoll.closed, true)
        t.throws(() => delivered(epoll), { code: 'ERR_CLOSED' })
      },
    )
  })
}

test('stats count each stale event, reported or not', (t) => {
  reacting(
    () => {},
    (epoll, bell) => {
      bell.write()
      t.strictSame(delivered(epoll), ['bell'])
      t.strictSame(epoll.stats, { waits: 1, delivered: 1, stale: 1, rebuilds: 0 })
      delivered(epoll)
      t.strictSame(epoll.stats, { waits: 2, delivered: 1, stale: 2, rebuilds: 0 })
      bell.close()
      delivered(epoll)
      t.strictSame(epoll.stats, { waits: 3, delivered: 1, stale: 3, rebuilds: 0 })
    },
  )
})

test('the entry of a question that is being asked is nobody’s event', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  sys.epoll_ctl(epoll.fd, EPOLL_CTL_ADD, fds.eventfd(1), EPOLLIN, 0xffffffff, 0)
  t.strictSame(delivered(epoll), [])
  t.strictSame(epoll.reports, [])
  t.strictSame(epoll.stats, { waits: 1, delivered: 0, stale: 0, rebuilds: 0 })
})
