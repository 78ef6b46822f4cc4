// What a handler does behind genpoll's back to the other descriptors of its batch: their events were
// read already, and aren't delivered all the same.

import { closeSync } from 'node:fs'
import {
  EPOLLET,
  EPOLLIN,
  type EpollOptions,
  EventFd,
  Fd,
  type Registration,
  type StaleReport,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias, fdinfo, ReportingEpoll } from './fixtures/behind.js'
import { openDescriptors, test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { recycle } from './fixtures/descriptors.js'

type Target = number | Fd

const VERIFIED: Record<string, { options: EpollOptions; own: (fd: number) => Target }> = {
  'a foreign number': { options: {}, own: (fd) => fd },
  'an owned one under “always”': { options: { verify: 'always' }, own: (fd) => Fd.adopt(fd) },
}

interface Batch {
  epoll: ReportingEpoll
  mask: number
  /** What the first handler does something to. */
  second: Registration<string>
  /** The line of its entry, if that outlives its number. */
  line: string | null
}

/**
 * A wait whose batch holds two readable eventfds: `act` runs in the handler of the first, `check`
 * after the wait, with what that delivered. Level- and edge-triggered, with the second's file kept
 * open by another number and not.
 */
function inBatch(
  kind: keyof typeof VERIFIED,
  act: (batch: Batch) => void,
  check: (seen: string[], batch: Batch) => void,
): void {
  const { options, own } = VERIFIED[kind]!
  for (const mask of [EPOLLIN, EPOLLIN | EPOLLET]) {
    for (const isKept of [true, false]) {
      using epoll = new ReportingEpoll(options)
      using bell = new EventFd({ initial: 1 })
      const fd = sys.eventfd(1, sys.EFD_CLOEXEC)
      const keeper = isKept ? alias(fd) : undefined
      epoll.add(bell, mask, 'first')
      const second = epoll.add(own(fd), mask, 'second')
      const line = isKept ? fdinfo(epoll.fd).find((line) => line.startsWith(lineOf(fd)))! : null
      const batch = { epoll, mask, second, line }
      const seen: string[] = []
      // The kernel reports them in the order in which they were added, being ready then.
      epoll.wait(-1, ({ data }) => {
        if (seen.push(data) === 1) act(batch)
      })
      bell.read()
      check(seen, batch)
      if (keeper !== undefined) closeSync(keeper)
    }
  }
}

function lineOf(fd: number): string {
  return `tfd: ${String(fd).padStart(8)} `
}

/** What is reported of the second: nobody can tell whether its entry went with its file. */
function reportOf(
  { fd, generation }: Registration<string>,
  line: string | null,
  cause: StaleReport['cause'],
): StaleReport {
  return { fd, generation, events: ['EPOLLIN'], cause, action: 'deferred', fdinfo: line }
}

for (const kind of Object.keys(VERIFIED)) {
  test(`${kind} that a handler closes`, (t) => {
    inBatch(
      kind,
      ({ second }) => closeSync(second.fd),
      (seen, batch) => {
        t.strictSame(seen, ['first'])
        t.equal(batch.second.state, 'stale')
        t.match(batch.epoll.stats, { waits: 1, delivered: 1, stale: 1 })
        t.strictSame(batch.epoll.reports, [reportOf(batch.second, batch.line, 'closed')])
      },
    )
  })

  test(`${kind} that a handler recycles`, (t) => {
    inBatch(
      kind,
      ({ second }) => recycle(second.fd),
      (seen, batch) => {
        t.strictSame(seen, ['first'])
        t.equal(batch.second.state, 'stale')
        t.strictSame(batch.epoll.reports, [reportOf(batch.second, batch.line, 'replaced')])
        t.strictSame(delivered(batch.epoll), [], 'nor is the stranger’s event')
        closeSync(batch.second.fd)
      },
    )
  })

  test(`${kind} that a handler recycles and registers again`, (t) => {
    let next: Registration<string>
    inBatch(
      kind,
      ({ epoll, mask, second }) => {
        recycle(second.fd)
        next = epoll.add(second.fd, mask, 'next')
      },
      (seen, batch) => {
        const { epoll, second } = batch
        t.strictSame(seen, ['first'], 'the next wait reports the newcomer’s own events')
        t.equal(second.state, 'stale')
        t.equal(next.state, 'active')
        t.not(next.generation, second.generation)
        t.strictSame(epoll.reports, [reportOf(batch.second, batch.line, 'replaced')])
        t.strictSame(delivered(epoll), ['next'])
        t.equal(epoll.get(second.fd), next)
        closeSync(second.fd)
      },
    )
  })

  test(`${kind} that a handler recycles, with an owner for the stranger`, (t) => {
    let next: Fd
    inBatch(
      kind,
      ({ second }) => {
        recycle(second.fd)
        second.verify() // or it would still be the former owner’s
        next = Fd.adopt(second.fd)
      },
      (seen, { epoll, second }) => {
        t.strictSame(seen, ['first'])
        t.equal(second.state, 'stale')
        t.equal(epoll.size, 1)
        epoll.add(next, EPOLLIN, 'next')
        t.strictSame(delivered(epoll), ['next'])
        next.close()
        t.strictSame(delivered(epoll), [])
      },
    )
  })
}

const COUNT = 2500

/** `COUNT` readable descriptors, of which the first handler closes all, its own too. */
function mass<T extends Target>(
  make: () => T,
  close: (target: T) => void,
  check: (epoll: ReportingEpoll, registrations: Registration<string>[]) => void,
): void {
  using epoll = new ReportingEpoll({ maxEvents: 2 * COUNT })
  const targets = Array.from({ length: COUNT }, make)
  const registrations = epoll.addAll(targets.map((target) => [target, EPOLLIN, 'one']))
  epoll.wait(-1, () => {
    for (const target of targets) close(target)
  })
  check(epoll, registrations)
}

function eventfd(): number {
  return sys.eventfd(1, sys.EFD_CLOEXEC)
}

const CLOSINGS: Record<string, (check: Parameters<typeof mass>[2]) => void> = {
  'owned descriptors closed by their objects': (check) =>
    mass(
      () => Fd.adopt(eventfd()),
      (fd) => fd.close(),
      check,
    ),
  'owned descriptors closed by their numbers': (check) =>
    mass(
      () => Fd.adopt(eventfd()),
      ({ fd }) => sys.close(fd),
      check,
    ),
  'foreign descriptors closed through genpoll': (check) => mass(eventfd, sys.close, check),
}

for (const [what, run] of Object.entries(CLOSINGS)) {
  test(`${COUNT} ${what}: one delivered, the others counted, nothing reported`, (t) => {
    const before = openDescriptors().size
    run((epoll, registrations) => {
      const expected = { waits: 1, delivered: 1, stale: COUNT - 1, rebuilds: 0 }
      t.strictSame(epoll.stats, expected)
      t.strictSame(epoll.reports, [])
      t.equal(epoll.size, 0)
      t.ok(registrations.every(({ state }) => state === 'stale'))
      t.strictSame(fdinfo(epoll.fd), [])
      t.strictSame(delivered(epoll), [])
      t.strictSame(epoll.stats, { ...expected, waits: 2 })
      t.equal(openDescriptors().size, before + 1, 'the Epoll is left')
    })
  })
}

test(`${COUNT} foreign descriptors closed behind genpoll’s back: each is reported once`, (t) => {
  mass(eventfd, closeSync, (epoll, registrations) => {
    t.strictSame(epoll.stats, { waits: 1, delivered: 1, stale: COUNT - 1, rebuilds: 0 })
    t.strictSame(
      epoll.reports,
      registrations.slice(1).map((other) => reportOf(other, null, 'closed')),
    )
    t.strictSame(delivered(epoll), [])
    t.match(epoll.stats, { waits: 2, stale: COUNT - 1, rebuilds: 0 })
    t.ok(registrations.slice(1).every(({ state }) => state === 'stale'))
    t.equal(registrations[0]!.verify(), 'closed', 'it was delivered, and isn’t looked at since')
    t.equal(epoll.size, 0)
  })
})
