// Numbers that are closed, recycled or replaced behind genpoll's back: their registration's events
// stay undelivered, whoever has the number then.

import { closeSync, openSync, readFileSync } from 'node:fs'
import {
  EPOLLET,
  EPOLLIN,
  type Epoll,
  type EpollOptions,
  Fd,
  fdTable,
  type Registration,
  type StaleReason,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { alias, ReportingEpoll } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { recycle } from './fixtures/descriptors.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

type Target = number | Fd

/** The registrations of which the kernel is asked, and how their targets are made. */
const VERIFIED: Record<string, { options: EpollOptions; own: (fd: number) => Target }> = {
  'a foreign number': { options: {}, own: (fd) => fd },
  'a foreign number under “always”': { options: { verify: 'always' }, own: (fd) => fd },
  'an owned one under “always”': { options: { verify: 'always' }, own: (fd) => Fd.adopt(fd) },
}

/** Puts another file, which is readable, under a number. */
function overwrite(fd: number): void {
  const other = openSync('/dev/random', 'r')
  host.dup2(other, fd)
  closeSync(other)
}

const REPLACEMENTS = { 'closed and recycled': recycle, 'replaced by dup2': overwrite }

interface Scene {
  epoll: ReportingEpoll
  fd: number
  target: Target
  mask: number
  registration: Registration<string>
  /** Whether something keeps the file open, and thereby the entry in the kernel's list. */
  isKept: boolean
}

/** A readable file that is registered: level- and edge-triggered, kept open by a dup and not. */
function watched(kind: keyof typeof VERIFIED, body: (scene: Scene) => void): void {
  const { options, own } = VERIFIED[kind]!
  for (const mask of [EPOLLIN, EPOLLIN | EPOLLET]) {
    for (const isKept of [true, false]) {
      using epoll = new ReportingEpoll(options)
      const fd = sys.eventfd(1, sys.EFD_CLOEXEC)
      const keeper = isKept ? alias(fd) : undefined
      const target = own(fd)
      const registration = epoll.add(target, mask, 'former')
      body({ epoll, fd, target, mask, registration, isKept })
      if (keeper !== undefined) closeSync(keeper)
    }
  }
}

/** Asserts that nothing is left of the registration, nor of an `Fd` that had its number. */
function assertGone(t: Test, { epoll, fd, target, registration }: Scene, reason: StaleReason) {
  t.equal(registration.state, 'stale')
  t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason, fd })
  t.equal(registration.remove(), false)
  t.equal(registration.verify(), reason)
  t.equal(epoll.stats.delivered, 0)
  if (target instanceof Fd) t.equal(target.closed, true)
}

for (const kind of Object.keys(VERIFIED)) {
  test(`${kind}, closed: its events are dropped`, (t) => {
    watched(kind, (scene) => {
      const { epoll, fd, registration, isKept } = scene
      closeSync(fd)
      t.strictSame(delivered(epoll), [])
      t.equal(epoll.stats.stale, isKept ? 1 : 0)
      t.equal(registration.verify(), 'closed')
      assertGone(t, scene, 'closed')
      t.equal(epoll.size, 0)
    })
  })

  for (const [how, replace] of Object.entries(REPLACEMENTS)) {
    test(`${kind}, ${how}: neither file’s events are delivered`, (t) => {
      watched(kind, (scene) => {
        const { epoll, fd, registration, isKept } = scene
        replace(fd)
        t.strictSame(delivered(epoll), [])
        t.equal(epoll.stats.stale, isKept ? 1 : 0)
        t.equal(registration.verify(), 'replaced')
        assertGone(t, scene, 'replaced')
        t.equal(epoll.size, 0)
        closeSync(fd)
      })
    })

    test(`${kind}, ${how} and registered again: the new file’s events are`, (t) => {
      for (const isNoticed of [true, false]) {
        watched(kind, (scene) => {
          const { epoll, fd, mask, registration } = scene
          replace(fd)
          if (isNoticed) registration.verify()
          const next = epoll.add(fd, mask, 'next')
          t.not(next.generation, registration.generation)
          t.strictSame(delivered(epoll), ['next'])
          t.strictSame(delivered(epoll), mask === EPOLLIN ? ['next'] : [])
          t.equal(next.state, 'active')
          t.equal(epoll.get(fd), next)
          t.equal(epoll.size, 1)
          t.equal(registration.state, 'stale')
          closeSync(fd)
        })
      }
    })
  }
}

test('a number that was recycled without genpoll can be adopted, and registered by its owner', (t) => {
  for (const [how, replace] of Object.entries(REPLACEMENTS)) {
    using epoll = new ReportingEpoll()
    const fd = sys.eventfd(1, sys.EFD_CLOEXEC)
    const former = epoll.add(fd, EPOLLIN, 'former')
    replace(fd)
    using owner = Fd.adopt(fd)
    const next = epoll.add(owner, EPOLLIN, 'next')
    t.strictSame(delivered(epoll), ['next'], how)
    t.equal(former.state, 'stale')
    t.equal(next.state, 'active')
    t.equal(owner.closed, false)
    owner.close()
    t.equal(epoll.size, 0)
    t.strictSame(epoll.audit().entries, [])
  }
})

test('its owner keeps it when the former registration is found stale', (t) => {
  using epoll = new ReportingEpoll()
  const fd = sys.eventfd(1, sys.EFD_CLOEXEC)
  const keeper = alias(fd)
  const former = epoll.add(fd, EPOLLIN, 'former')
  recycle(fd)
  using owner = Fd.adopt(fd)
  t.strictSame(delivered(epoll), [])
  t.equal(former.state, 'stale')
  t.equal(owner.closed, false)
  closeSync(keeper)
})

test('where the kernel isn’t asked, a number is believed', (t) => {
  const unverified = [
    { options: { verify: 'never' }, own: (fd: number) => fd },
    { options: { verify: 'foreign' }, own: (fd: number) => Fd.adopt(fd) },
  ] as const
  for (const { options, own } of unverified) {
    using epoll = new ReportingEpoll(options)
    const fd = sys.eventfd(1, sys.EFD_CLOEXEC)
    const keeper = alias(fd)
    const registration = epoll.add(own(fd), EPOLLIN, 'former')
    recycle(fd)
    t.strictSame(delivered(epoll), ['former'], 'as documented')
    t.strictSame(epoll.reports, [])
    t.equal(registration.verify(), 'replaced', 'it is found out by asking')
    t.strictSame(delivered(epoll), [])
    for (const number of [fd, keeper]) closeSync(number)
  }
})

test('a number in several Epolls that is recycled is stale in each', (t) => {
  using first = new ReportingEpoll()
  using second = new ReportingEpoll()
  const fd = sys.eventfd(1, sys.EFD_CLOEXEC)
  const keeper = alias(fd)
  const registrations = [first, second].map((epoll) => epoll.add(fd, EPOLLIN, 'former'))
  recycle(fd)
  t.strictSame(
    [first, second].map((epoll) => delivered(epoll)),
    [[], []],
  )
  for (const { state } of registrations) t.equal(state, 'stale')
  const next = second.add(fd, EPOLLIN, 'next')
  t.strictSame(
    [first, second].map((epoll) => delivered(epoll)),
    [[], ['next']],
  )
  t.equal(next.state, 'active')
  for (const number of [fd, keeper]) closeSync(number)
})

/**
 * A number that named one file, then another, and names the first again: nobody has registered that
 * since, but its old entry is still there.
 */
function thereAndBack(body: (epoll: Epoll<string>, fd: number, first: number) => void): void {
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const [first, second] = [fds.eventfd(), fds.eventfd(1)]
  const fd = alias(first)
  epoll.add(fd, EPOLLIN, 'first')
  host.dup2(second, fd)
  epoll.add(fd, EPOLLIN, 'second')
  host.dup2(first, fd)
  body(epoll, fd, first)
  closeSync(fd)
}

test('a number that went to another file and back doesn’t get the other file’s events', (t) => {
  thereAndBack((epoll) => t.strictSame(delivered(epoll), []))
})

test('a number that went to another file and back: verify finds it replaced', (t) => {
  thereAndBack((epoll, fd) => t.equal(epoll.get(fd)!.verify(), 'replaced'))
})

test('a number that went to another file and back can be added for what it names', (t) => {
  thereAndBack((epoll, fd, first) => {
    t.equal(epoll.add(fd, EPOLLIN, 'again').state, 'active')
    t.strictSame(delivered(epoll), [])
    sys.eventfd_write(first, 1)
    t.strictSame(delivered(epoll), ['again'])
  })
})

test('a number that was replaced without genpoll, and then through it, keeps its registration', (t) => {
  for (const onReplaced of ['stale', 'follow'] as const) {
    using fds = new Descriptors()
    using epoll = new ReportingEpoll()
    const [first, second, third] = [fds.eventfd(), fds.eventfd(1), fds.eventfd(1)]
    const fd = alias(first)
    epoll.add(fd, EPOLLIN, 'first')
    host.dup2(second, fd)
    const registration = epoll.add(fd, EPOLLIN, 'second', { onReplaced })
    if (onReplaced === 'stale') epoll.replace(third, fd)
    else sys.dup3(third, fd, 0)
    t.strictSame(delivered(epoll), ['second'])
    t.equal(registration.verify(), 'current')
    t.equal(epoll.size, 1)
    t.equal(epoll.audit().counts.live, 1)
    t.strictSame(epoll.reports, [])
    sys.eventfd_read(third)
    t.strictSame(delivered(epoll), [])
    closeSync(fd)
  }
})

const HIGH = 65_536
const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))!

test(
  'a number of 65,536 or more is told from what had it before',
  (t) => {
    using fds = new Descriptors()
    for (const fd of [HIGH, HIGH + 1, Number(limit) - 1]) {
      using epoll = new ReportingEpoll()
      const file = fds.eventfd(1)
      host.dup2(file, fd)
      const registration = epoll.add(fd, EPOLLIN, 'former')
      t.equal(registration.generation, fdTable.generation(fd))
      t.strictSame(delivered(epoll), ['former'])
      overwrite(fd)
      t.strictSame(delivered(epoll), [])
      t.equal(registration.state, 'stale')
      t.match(epoll.reports, [{ fd, generation: registration.generation, cause: 'replaced' }])
      epoll.add(fd, EPOLLIN, 'next')
      t.strictSame(delivered(epoll), ['next'])
      sys.close(fd)
      t.equal(epoll.size, 0)
    }
  },
  { skip: Number(limit) > HIGH + 2 ? false : `the limit of open files is ${limit} here` },
)
