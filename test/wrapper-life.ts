// From the making of an Epoll or a Loop to its end: nothing is left behind, however often.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  EPOLLIN,
  Epoll,
  EventFd,
  type Fd,
  Loop,
  PidFd,
  type Registration,
  SignalFd,
  TimerFd,
} from 'genpoll'
import { test } from './fixtures/check.js'
import { pipe } from './fixtures/descriptors.js'
import { thrownBy } from './fixtures/thrown.js'

const CLOSED = { name: 'ClosedError', code: 'ERR_CLOSED' }
const KIB = 1024
// What is freed stays in quarantine then.
const isSanitized = process.env.ASAN_OPTIONS !== undefined
const scriptOf = (name: string) =>
  fileURLToPath(new URL(`fixtures/children/${name}.mjs`, import.meta.url))

interface Growth {
  [what: string]: { heap: number; rss: number; descriptors: number }
}

test('C441 ten thousand instances, each closed in its handler, take no memory', (t) => {
  const command = ['--expose-gc', scriptOf('many-instances'), '10000']
  const growth: Growth = JSON.parse(String(execFileSync(process.execPath, command)))
  t.strictSame(Object.keys(growth), ['Epoll', 'Loop', 'Registration', 'WatchSource'])
  for (const [what, { heap, rss, descriptors }] of Object.entries(growth)) {
    // Of each, below 26 bytes in JavaScript and 420 in all.
    t.ok(heap < 256 * KIB, `${what}: ${heap} bytes of heap`)
    t.ok(isSanitized || rss < 4 * KIB * KIB, `${what}: ${rss} bytes of memory`)
    t.equal(descriptors, 0, what)
  }
})

for (const how of ['disposed', 'lost']) {
  test(`C442 two thousand instances that are ${how} need no more descriptors than one`, (t) => {
    const script = 'ulimit -n 256; exec "$0" "$@"'
    const flags = ['--expose-gc', '--no-warnings']
    const command = ['-c', script, process.execPath, ...flags, scriptOf('drops'), how]
    const { made, warnings, left } = JSON.parse(String(execFileSync('sh', command)))
    t.strictSame({ made, left }, { made: { Epoll: 2000, Loop: 2000 }, left: 0 })
    // A lost Loop is three descriptors: an epoll, an eventfd, and its clock, which bears its name.
    const lost = { Epoll: 4000, EventFd: 2000, Loop: 2000 }
    t.strictSame(warnings, how === 'lost' ? lost : {})
  })
}

test('C443 standard input can be watched, and an Epoll closed twice', (t) => {
  const output = execFileSync(process.execPath, [scriptOf('watches-stdin')], { input: '' })
  t.strictSame(JSON.parse(String(output)), {
    closed: [false, true, true],
    delivered: 1,
    removed: true,
    isOpen: true,
  })
})

test('C444 an open one tells its number, a closed one that it is closed', (t) => {
  const [reading, writing] = pipe()
  const all: Pick<Fd, 'fd' | 'closed' | 'close'>[] = [
    new Epoll(),
    new EventFd(),
    new TimerFd(),
    new SignalFd(['SIGUSR2']),
    new PidFd(process.pid),
    reading,
    writing,
  ]
  for (const one of all) {
    t.ok(one.fd > 0)
    t.equal(one.closed, false)
    one.close()
    t.equal(one.closed, true)
    t.throws(() => one.fd, CLOSED)
  }
})

for (const Class of [Epoll, Loop]) {
  test(`C445 ${Class.name}: closed at the end of its block, also by an error`, (t) => {
    const made: (Epoll | Loop)[] = []
    const failure = new Error('thrown in the block')
    {
      using one = new Class()
      made.push(one)
    }
    const error = thrownBy(() => {
      using one = new Class()
      made.push(one)
      t.equal(one.closed, false)
      throw failure
    })
    t.equal(error, failure)
    t.strictSame(
      made.map(({ closed }) => closed),
      [true, true],
    )
  })
}

test('C446 a closed Epoll has no registrations, and a closed Loop no sources', (t) => {
  const epoll = new Epoll<null>()
  const loop = new Loop()
  using bell = new EventFd()
  using timer = new TimerFd()
  const registrations: Registration<null>[] = [bell, timer].map((one) =>
    epoll.add(one, EPOLLIN, null),
  )
  const sources = [bell, timer].map((one) => loop.watch(one, EPOLLIN, () => t.fail('called')))
  epoll.close()
  loop.close()
  t.equal(epoll.size, 0)
  for (const target of [bell, timer, bell.fd, timer.fd]) t.equal(epoll.get(target), undefined)
  t.strictSame(
    registrations.map(({ state }) => state),
    ['removed', 'removed'],
  )
  t.strictSame(
    sources.map(({ active }) => active),
    [false, false],
  )
})
