// What other threads do to the descriptors that this one watches: while it waits, between the wait and
// a handler, and by coming to their end.

import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { EPOLLET, EPOLLIN, Epoll, EventFd, Fd, type Registration } from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias, fdinfo, ReportingEpoll } from './fixtures/behind.js'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { Descriptors } from './fixtures/kernel.js'
import { Partner, type Step } from './fixtures/partner.js'

const CLEAN = { zombie: 0, lost: 0, replaced: 0 }
const MASKS = [EPOLLIN, EPOLLIN | EPOLLET]

/** Calls of another thread after which a number doesn't name what it did; `other` is readable. */
const CLOSINGS: Record<string, (fd: number, other: number) => Step[]> = {
  closes: (fd) => [['close', fd]],
  'replaces by dup3': (fd, other) => [['dup3', other, fd, 0]],
  'closes and recycles': (fd, other) => [
    ['close', fd],
    ['dup3', other, fd, 0],
  ],
}

for (const [how, stepsFor] of Object.entries(CLOSINGS)) {
  for (const [kind, own] of [
    ['an owned descriptor', (fd: number) => Fd.adopt(fd)],
    ['a foreign one', (fd: number) => fd],
  ] as const) {
    test(`${kind} that another thread ${how} while this one waits`, async (t) => {
      await using partner = await Partner.start()
      using other = ready()
      for (const mask of MASKS) {
        using epoll = new ReportingEpoll()
        using bell = new EventFd()
        const fd = sys.eventfd(0, 0)
        const keeper = alias(fd)
        epoll.add(bell, EPOLLIN, 'bell')
        const registration = epoll.add(own(fd), mask, 'closed')
        partner.begin(
          ['untilWaiting', epoll.fd],
          ...stepsFor(fd, other.fd),
          ['eventfd_write', keeper, 1],
          ['eventfd_write', bell.fd, 1],
        )
        t.strictSame(delivered(epoll, -1), ['bell'])
        partner.finish()
        t.equal(registration.state, 'stale')
        t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason: 'closed' })
        t.equal(epoll.size, 1)
        bell.read()
        t.strictSame(delivered(epoll), [])
        t.equal(epoll.stats.stale, 0)
        t.strictSame(epoll.reports, [])
        t.strictSame(epoll.audit().counts, { ...CLEAN, live: 1 })
        closeSync(keeper)
        if (how !== 'closes') sys.close(fd)
      }
    })
  }
}

/** The same, and what genpoll has to ask the kernel about. Whether the number is open then. */
const INTERFERENCES: Record<string, [isOpen: boolean, stepsFor: (typeof CLOSINGS)[string]]> = {
  closes: [false, CLOSINGS.closes!],
  'replaces by dup3': [true, CLOSINGS['replaces by dup3']!],
  'closes and recycles': [true, CLOSINGS['closes and recycles']!],
  retires: [true, (fd) => [['retire', fd]]],
  'closes behind genpoll’s back': [false, (fd) => [['nativeClose', fd]]],
  'replaces by dup2': [true, (fd, other) => [['nativeDup2', other, fd]]],
  'recycles behind genpoll’s back': [
    true,
    (fd, other) => [
      ['nativeClose', fd],
      ['nativeDup2', other, fd],
    ],
  ],
}

for (const [how, [isOpen, stepsFor]] of Object.entries(INTERFERENCES)) {
  test(`another thread ${how} a descriptor between the wait and its handler`, async (t) => {
    await using partner = await Partner.start()
    using other = ready()
    for (const mask of MASKS) {
      for (const isOwned of [false, true]) {
        for (const isKept of [true, false]) {
          const fd = sys.eventfd(1, 0)
          const steps = stepsFor(fd, other.fd)
          const isHidden = steps.some(([call]) => call.startsWith('native'))
          using epoll = new ReportingEpoll({ verify: isOwned && isHidden ? 'always' : 'foreign' })
          using first = ready()
          const keeper = isKept ? alias(fd) : undefined
          epoll.add(first, mask, 'first')
          const registration = epoll.add(isOwned ? Fd.adopt(fd) : fd, mask, 'second')
          const seen: string[] = []
          epoll.wait(-1, ({ data }) => {
            seen.push(data)
            if (data === 'first') partner.make(...steps)
          })
          t.strictSame(seen, ['first'])
          t.equal(registration.state, 'stale')
          const reason = isHidden && isOpen ? 'replaced' : 'closed'
          t.throws(() => registration.modify(EPOLLIN), { code: 'ENOENT', reason })
          t.match(epoll.stats, { waits: 1, delivered: 1, stale: 1 })
          first.read()
          t.equal(
            epoll.wait(1, () => t.fail('delivered')),
            0,
          )
          if (isOpen) {
            const next = epoll.add(fd, mask, 'next')
            t.strictSame(delivered(epoll), ['next'], 'what it names now')
            t.equal(next.remove(), true)
            sys.close(fd)
          }
          epoll.audit({ repair: true })
          t.strictSame(epoll.audit().counts, { ...CLEAN, live: 1 })
          if (keeper !== undefined) closeSync(keeper)
        }
      }
    }
  })
}

test('another thread recycles it, and the handler registers it again', async (t) => {
  await using partner = await Partner.start()
  using other = ready()
  for (const mask of MASKS) {
    using epoll = new ReportingEpoll()
    using first = ready()
    const fd = sys.eventfd(1, 0)
    epoll.add(first, mask, 'first')
    const former = epoll.add(fd, mask, 'former')
    const seen: string[] = []
    epoll.wait(-1, ({ data }) => {
      seen.push(data)
      if (data !== 'first') return
      partner.make(['close', fd], ['dup3', other.fd, fd, 0])
      epoll.add(fd, mask, 'next')
    })
    t.strictSame(seen, ['first'], 'the newcomer’s own event is the next wait’s')
    first.read()
    t.strictSame(delivered(epoll), ['next'])
    t.equal(former.state, 'stale')
    sys.close(fd)
    t.strictSame(epoll.audit().counts, { ...CLEAN, live: 1 })
  }
})

test('what another thread is replacing isn’t taken for gone in the middle of it', async (t) => {
  await using partner = await Partner.start()
  using fds = new Descriptors()
  using epoll = new ReportingEpoll()
  const [fd, one, other] = [fds.eventfd(1), fds.eventfd(1), fds.eventfd(1)]
  const replaced = epoll.add(fd, EPOLLIN, 'replaced')
  const rebuilt = epoll.add(partner.epfd, 0, 'an Epoll that is rebuilt')
  for (const [registration, step] of [
    [replaced, ['replaceTimes', fd, one, other, 8000]],
    [rebuilt, ['rebuildTimes', 3000]],
  ] as [Registration<string>, Step][]) {
    partner.begin(step)
    while (!partner.isDone && registration.verify() === 'current') delivered(epoll)
    partner.finish()
    t.equal(registration.verify(), 'current')
    t.equal(registration.state, 'active')
  }
  t.strictSame(epoll.audit().counts, { ...CLEAN, live: 2 })
  t.strictSame(delivered(epoll), ['replaced'])
  t.strictSame(epoll.reports, [])
})

test('registrations made while a second thread lives: eventfd and pipe deliver their edges', async (t) => {
  const partner = await Partner.start()
  using epoll = new Epoll<string>()
  using bell = new EventFd()
  const [reading, writing] = pipe()
  epoll.add(bell, EPOLLIN | EPOLLET, 'eventfd')
  epoll.add(reading.fd, EPOLLIN | EPOLLET, 'pipe')
  const byte = Buffer.from('x')
  t.strictSame(delivered(epoll), [])
  for (let i = 0; i < 3; i++) {
    bell.write()
    t.strictSame(delivered(epoll, -1), ['eventfd'])
    writing.write(byte)
    t.strictSame(delivered(epoll, -1), ['pipe'])
    partner.make(['eventfd_write', bell.fd, 1])
    t.strictSame(delivered(epoll, -1), ['eventfd'])
    t.strictSame(delivered(epoll), [])
  }
  await partner.terminate()
  bell.write()
  writing.write(byte)
  t.strictSame(delivered(epoll, -1), ['eventfd', 'pipe'], 'and once the thread has ended')
  t.strictSame(epoll.stats.stale, 0)
  for (const end of [reading, writing]) end.close()
})

for (const how of ['terminate', 'exit']) {
  test(`a worker ends (${how}) whose descriptors are watched here: no zombies`, async (t) => {
    const url = new URL('./fixtures/children/worker-tour.mjs', import.meta.url)
    const worker = new Worker(url, { execArgv: [] })
    const [{ fds }] = (await once(worker, 'message')) as [{ fds: number[] }]
    using epoll = new ReportingEpoll()
    const registrations = fds.map((fd) => epoll.add(fd, EPOLLIN, String(fd)))
    const keepers = fds.map((fd, i) => (i % 2 === 0 ? alias(fd) : sys.dup(fd)))
    const isReady = delivered(epoll)
    for (const fd of fds.slice(0, 2)) t.ok(isReady.includes(String(fd)), 'its Epoll and its bell')
    const exit = once(worker, 'exit')
    if (how === 'terminate') worker.terminate()
    else worker.postMessage(how)
    await exit
    for (const { state } of registrations) t.equal(state, 'stale')
    t.equal(epoll.size, 0)
    t.strictSame(delivered(epoll), [])
    t.equal(epoll.stats.stale, 0)
    t.strictSame(epoll.audit().entries, [])
    for (const keeper of keepers) closeSync(keeper)
  })
}

test('terminate ends a wait in which a rebuild has taken place', async (t) => {
  using fds = new Descriptors()
  const worker = new Worker(new URL('./fixtures/children/waiter.mjs', import.meta.url), {
    execArgv: [],
  })
  await once(worker, 'message')
  const fd = alias(fds.eventfd(1))
  worker.postMessage({ name: 'add', args: [fd, EPOLLIN] })
  const [{ value: epfd }] = await once(worker, 'message')
  const isZombie = (line: string) => line.startsWith(`tfd: ${String(fd).padStart(8)} `)
  closeSync(fd)
  worker.postMessage({ name: 'deliver', args: [-1] })
  while (fdinfo(epfd).some(isZombie)) await new Promise(setImmediate)
  await untilBlocked('epoll_pwait', epfd)
  t.equal(fdinfo(epfd).length, 1, 'Node’s loop')
  t.equal(await worker.terminate(), 1)
})
