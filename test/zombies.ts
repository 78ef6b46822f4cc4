// Entries of the kernel's list whose number is gone while something keeps their file open. They can't
// be deleted by number any more, and go all the same.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { EPOLLET, EPOLLIN, Epoll, Fd, fdTable, type Registration } from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { alias, fdinfo, ReportingEpoll, untilRebuilt } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready, recycle } from './fixtures/descriptors.js'
import { Descriptors, timed } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

type Registered = Registration<string>

/** What was reported of a registration, in order. */
function actionsOf(epoll: ReportingEpoll, { fd, generation }: Registered): string[] {
  return epoll.reports
    .filter((report) => report.fd === fd && report.generation === generation)
    .map(({ action }) => action)
}

/** Asserts that nothing wakes the Epoll any more, and that it has had so many rebuilds. */
function assertQuiet(t: Test, epoll: Epoll<string>, rebuilds: number): void {
  const { stale } = epoll.stats
  for (let i = 0; i < 3; i++) t.strictSame(delivered(epoll), [])
  t.equal(epoll.stats.stale, stale)
  t.equal(epoll.stats.rebuilds, rebuilds)
  t.equal(epoll.audit().counts.zombie, 0)
}

/** Ways in which genpoll comes to know another number for a file. */
const DUPS: Record<string, (fd: number, fds: Descriptors) => void> = {
  'sys.dup': (fd, fds) => fds.own(sys.dup(fd)),
  'sys.dup3': (fd, fds) => sys.dup3(fd, fds.eventfd(), 0),
  'a dup of a dup': (fd, fds) => {
    const between = sys.dup(fd)
    fds.own(sys.dup(between))
    sys.close(between)
  },
  'one of two dups, the other recycled': (fd, fds) => {
    const [first] = [fds.own(sys.dup(fd)), fds.own(sys.dup(fd))]
    recycle(first)
  },
}

for (const [how, dup] of Object.entries(DUPS)) {
  test(`${how} keeps it open: deleted without a rebuild`, (t) => {
    using fds = new Descriptors()
    using epoll = new ReportingEpoll()
    const fd = sys.eventfd(1, 0)
    dup(fd, fds)
    const former = epoll.add(fd, EPOLLIN, 'former')
    closeSync(fd)
    t.equal(epoll.audit().counts.zombie, 1)
    t.strictSame(delivered(epoll), [])
    t.strictSame(actionsOf(epoll, former), ['deleted'])
    t.strictSame(fdinfo(epoll.fd), [])
    assertQuiet(t, epoll, 0)
  })
}

test('the dup of an Fd keeps it open: deleted without a rebuild', (t) => {
  using epoll = new ReportingEpoll({ verify: 'always' })
  const bell = ready()
  using _dup = bell.dup()
  const former = epoll.add(bell, EPOLLIN, 'former')
  closeSync(bell.fd)
  t.strictSame(delivered(epoll), [])
  t.strictSame(actionsOf(epoll, former), ['deleted'])
  t.equal(bell.closed, true)
  assertQuiet(t, epoll, 0)
})

test('it is deleted under a living registration, which stays', (t) => {
  for (const mask of [EPOLLIN, EPOLLIN | EPOLLET]) {
    using fds = new Descriptors()
    using epoll = new ReportingEpoll()
    const fd = sys.eventfd(1, 0)
    fds.own(sys.dup(fd))
    const former = epoll.add(fd, mask, 'former')
    recycle(fd)
    const next = epoll.add(fd, mask, 'next')
    t.strictSame(delivered(epoll), ['next'])
    t.strictSame(actionsOf(epoll, former), ['deleted'])
    const data = `${next.generation.toString(16)}${fd.toString(16).padStart(8, '0')}`
    t.match(fdinfo(epoll.fd), [new RegExp(`^tfd: +${fd} .* data: +${data} `)])
    t.strictSame(delivered(epoll), mask === EPOLLIN ? ['next'] : [])
    t.equal(next.verify(), 'current')
    t.equal(next.remove(), true)
    closeSync(fd)
    assertQuiet(t, epoll, 0)
  }
})

/** Registers readable files under one number, one after the other, and leaves the last there. */
function pileUp(epoll: ReportingEpoll, fds: Descriptors, count: number): Registered[] {
  const fd = sys.eventfd(0, 0)
  return Array.from({ length: count }, (_, i) => {
    host.dup2(fds.eventfd(1), fd)
    return epoll.add(fd, EPOLLIN, String(i))
  })
}

test('several under one number, each met before the next arises: all are deleted', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const fd = fds.eventfd()
  for (let i = 0; i < 4; i++) {
    sys.dup3(fds.eventfd(1), fd, 0)
    fds.own(sys.dup(fd))
    const former = epoll.add(fd, EPOLLIN, String(i))
    recycle(fd)
    const next = epoll.add(fd, EPOLLIN, 'next')
    t.strictSame(delivered(epoll), ['next'])
    t.strictSame(actionsOf(epoll, former), ['deleted'])
    t.equal(next.remove(), true)
  }
  assertQuiet(t, epoll, 0)
})

test('several under one number at once: each is reported, and all go', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const [first, second, living] = pileUp(epoll, fds, 3) as [Registered, Registered, Registered]
  const seen = untilRebuilt(epoll)
  t.strictSame(new Set(seen), new Set(['2']))
  t.strictSame(actionsOf(epoll, first), ['deferred', 'rebuilt'])
  t.strictSame(actionsOf(epoll, second), ['deferred', 'rebuilt'])
  t.strictSame(actionsOf(epoll, living), [])
  t.equal(fdinfo(epoll.fd).length, 1)
  t.strictSame(delivered(epoll), ['2'])
  closeSync(living.fd)
  t.equal(living.verify(), 'closed')
})

test('of several under one number, the one that the number still names is deleted by it', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const [first, second] = pileUp(epoll, fds, 2) as [Registered, Registered]
  fdTable.retire(second.fd)
  t.strictSame(delivered(epoll), [])
  t.strictSame(actionsOf(epoll, second), ['deleted'])
  t.strictSame(actionsOf(epoll, first), ['deferred'])
  untilRebuilt(epoll)
  t.strictSame(actionsOf(epoll, first), ['deferred', 'rebuilt'])
  sys.close(second.fd)
  assertQuiet(t, epoll, 1)
})

test('a dup that genpoll doesn’t know keeps it open: a rebuild within the wait, and no spin', (t) => {
  using fds = new Descriptors()
  for (const others of [0, 1, 100]) {
    using epoll = new ReportingEpoll()
    for (let i = 0; i < others; i++) epoll.add(fds.eventfd(), EPOLLIN, 'idle')
    const fd = alias(fds.eventfd(1))
    const former = epoll.add(fd, EPOLLIN, 'former')
    closeSync(fd)
    const [count, elapsedNs] = timed(() => epoll.wait(100, () => t.fail('delivered')))
    t.equal(count, 0)
    t.ok(elapsedNs >= 100_000_000n)
    t.strictSame(actionsOf(epoll, former), ['deferred', 'rebuilt'])
    t.equal(epoll.size, others)
    assertQuiet(t, epoll, 1)
  }
})

test('an Epoll that was watched by another, closed without genpoll, is a zombie like others', (t) => {
  using outer = new ReportingEpoll({ verify: 'always' })
  using inner = new Epoll<string>()
  using bell = ready()
  using _dup = Fd.adopt(sys.dup(inner.fd))
  inner.add(bell, EPOLLIN, 'bell')
  const former = outer.add(inner, EPOLLIN, 'inner')
  closeSync(inner.fd)
  t.strictSame(delivered(outer), [])
  t.strictSame(actionsOf(outer, former), ['deleted'])
  t.equal(inner.closed, true)
  assertQuiet(t, outer, 0)
})

test('one that goes with its file needs no rebuild', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const file = fds.eventfd(1)
  const fd = alias(file)
  const former = epoll.add(fd, EPOLLIN, 'former')
  closeSync(fd)
  for (let i = 0; i < 2; i++) t.strictSame(delivered(epoll), [])
  fds.close(file)
  t.strictSame(actionsOf(epoll, former), ['deferred'])
  assertQuiet(t, epoll, 0)
})

/** A process that has a descriptor, and nothing else to do, for as long as `body` runs. */
async function withChild(fd: number, body: () => void): Promise<void> {
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'inherit', fd] })
  try {
    body()
  } finally {
    child.stdin!.end()
    await once(child, 'exit')
  }
}

test('a child has a descriptor that is closed here without genpoll: deferred, then rebuilt', async (t) => {
  using epoll = new ReportingEpoll()
  using bell = ready()
  const fd = sys.eventfd(1, 0)
  epoll.add(bell, EPOLLIN | EPOLLET, 'bell')
  const former = epoll.add(fd, EPOLLIN, 'former')
  await withChild(fd, () => {
    closeSync(fd)
    t.strictSame(delivered(epoll), ['bell'])
    t.strictSame(actionsOf(epoll, former), ['deferred'])
    t.strictSame(untilRebuilt(epoll), ['bell'], 'its edge again')
    t.strictSame(actionsOf(epoll, former), ['deferred', 'rebuilt'])
    assertQuiet(t, epoll, 1)
  })
})

test('a child has a descriptor that is closed through genpoll: no zombie at all', async (t) => {
  const closings: ((fd: Fd) => void)[] = [
    (fd) => fd.close(),
    ({ fd }) => sys.close(fd),
    (fd) => closeSync(fd.release()),
  ]
  for (const close of closings) {
    using epoll = new ReportingEpoll()
    const fd = Fd.adopt(sys.eventfd(1, 0))
    epoll.add(fd, EPOLLIN, 'former')
    await withChild(fd.fd, () => {
      close(fd)
      t.strictSame(delivered(epoll), [])
      t.strictSame(epoll.stats, { waits: 1, delivered: 0, stale: 0, rebuilds: 0 })
      t.strictSame(epoll.reports, [])
      t.strictSame(epoll.audit().entries, [])
    })
  }
})

/** A registration whose number was found closed, and whose file comes back under it. */
function comesBack(body: (epoll: ReportingEpoll, fd: number, former: Registered) => void) {
  for (const isMet of [false, true]) {
    using fds = new Descriptors()
    using epoll = new ReportingEpoll()
    const file = fds.eventfd(1)
    const fd = alias(file)
    const former = epoll.add(fd, EPOLLIN | EPOLLET, 'former')
    closeSync(fd)
    if (isMet) for (let i = 0; i < 3; i++) delivered(epoll)
    else former.verify()
    host.dup2(file, fd)
    body(epoll, fd, former)
  }
}

test('one whose file is back under its number can be added, and lives', (t) => {
  comesBack((epoll, fd, former) => {
    const next = epoll.add(fd, EPOLLIN, 'next')
    t.not(next.generation, former.generation)
    t.strictSame(delivered(epoll), ['next'])
    t.strictSame(delivered(epoll), ['next'], 'level-triggered, as it was asked for')
    t.equal(fdinfo(epoll.fd).length, 1)
    t.equal(epoll.size, 1)
    t.equal(former.state, 'stale')
    t.equal(next.remove(), true)
    t.strictSame(fdinfo(epoll.fd), [])
    closeSync(fd)
  })
})

test('one whose file is back under its number goes when that is closed through genpoll', (t) => {
  comesBack((epoll, fd) => {
    sys.close(fd)
    t.strictSame(fdinfo(epoll.fd), [])
    t.strictSame(delivered(epoll), [])
  })
})

test('a registration whose file is back before anybody noticed goes on', (t) => {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const file = fds.eventfd(1)
  const fd = alias(file)
  const registration = epoll.add(fd, EPOLLIN, 'as before')
  closeSync(fd)
  host.dup2(file, fd)
  t.strictSame(delivered(epoll), ['as before'])
  t.equal(registration.verify(), 'current')
  sys.close(fd)
  assertQuiet(t, epoll, 0)
})
