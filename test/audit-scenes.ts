// Epoll.audit where it isn't alone: another process in the same epoll, a handler, a blocked worker,
// many entries, no /proc.

import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { EPOLLET, EPOLLIN, Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { alias } from './fixtures/behind.js'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { delivered } from './fixtures/delivered.js'
import { ready } from './fixtures/descriptors.js'
import { runWith } from './fixtures/inherit.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

const clean = { live: 0, zombie: 0, lost: 0, replaced: 0 }
const child = (name: string) => new URL(`fixtures/children/${name}.mjs`, import.meta.url)

/** A process that has the epoll and the numbers as we have them deletes their entries. */
function deleteInChild(epfd: number, ...numbers: number[]): void {
  runWith([epfd, ...numbers], 'delete-entries.mjs', ...[epfd, ...numbers].map(String))
}

test('what another process has deleted is lost, and a repair puts it back', (t) => {
  using epoll = new Epoll<string>()
  using kept = ready()
  using taken = ready()
  const registrations = [epoll.add(kept, EPOLLIN, 'kept'), epoll.add(taken, EPOLLIN, 'taken')]
  const tokens = registrations.map(({ generation }) => generation)
  deleteInChild(epoll.fd, taken.fd)
  t.strictSame(delivered(epoll), ['kept'])
  const { entries, counts } = epoll.audit({ repair: true })
  t.strictSame(counts, { ...clean, live: 1, lost: 1 })
  t.strictSame(
    entries.find(({ status }) => status === 'lost'),
    { fd: taken.fd, generation: tokens[1], events: EPOLLIN, status: 'lost' },
  )
  t.strictSame(epoll.audit().counts, { ...clean, live: 2 })
  t.strictSame(delivered(epoll).sort(), ['kept', 'taken'])
  t.strictSame(
    registrations.map(({ generation }) => generation),
    tokens,
  )
})

test('what another process has deleted was removed, as modify and remove find', (t) => {
  const removed = { name: 'StaleRegistrationError', code: 'ENOENT', reason: 'removed' }
  using epoll = new Epoll()
  using modified = ready()
  using gone = ready()
  const [first, second] = [modified, gone].map((bell) => epoll.add(bell, EPOLLIN, undefined))
  deleteInChild(epoll.fd, modified.fd, gone.fd)
  t.throws(() => first!.modify(EPOLLIN), removed)
  t.equal(first!.state, 'removed')
  t.equal(second!.remove(), false)
  t.equal(second!.state, 'removed')
  t.throws(() => second!.modify(EPOLLIN), removed)
  t.equal(epoll.size, 0)
  t.strictSame([modified.closed, gone.closed], [false, false])
})

test('an audit and its repair inside a handler lose no event of the batch', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll<number>()
  const numbers = [fds.eventfd(1), fds.eventfd(1), fds.eventfd(1)]
  const zombie = sys.eventfd(0, 0)
  fds.own(alias(zombie))
  epoll.addAll([...numbers, zombie].map((fd) => [fd, EPOLLIN | EPOLLET, fd]))
  host.close(zombie)
  const seen: number[] = []
  epoll.wait(0, ({ fd }) => {
    if (seen.push(fd) > 1) return
    t.strictSame(epoll.audit().counts, { ...clean, live: 3, zombie: 1 })
    epoll.audit({ repair: true })
    t.strictSame(epoll.audit().counts, { ...clean, live: 3 })
  })
  epoll.wait(0, ({ fd }) => seen.push(fd))
  t.strictSame(new Set(seen), new Set(numbers))
  t.equal(epoll.stats.rebuilds, 1)
})

test('in a worker’s blocking wait Node’s own entry isn’t shown, and a repair keeps it', async (t) => {
  const worker = new Worker(child('audits'), { execArgv: [] })
  const [{ epfd, audits, delivered, rebuilds }] = await once(worker, 'message')
  t.strictSame(audits, [
    { ...clean, live: 2 },
    { ...clean, live: 2, zombie: 1 },
    { ...clean, live: 2 },
    { ...clean, live: 2 },
  ])
  t.equal(delivered, 1)
  t.equal(rebuilds, 1)
  await untilBlocked('epoll_pwait', epfd)
  t.equal(await worker.terminate(), 1)
})

/** As many as the process may have, and not more than a test should take. */
const MANY = Math.min(
  15_000,
  Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))![1]) - 500,
)

test('a single pass takes as many entries as there may be', (t) => {
  using fds = new Descriptors()
  using epoll = new Epoll()
  const bell = fds.eventfd()
  const numbers = Array.from({ length: MANY }, () => sys.dup(bell))
  const registrations = epoll.addAll(numbers.map((fd) => [fd, EPOLLIN, undefined]))
  const { entries, counts } = epoll.audit()
  t.strictSame(counts, { ...clean, live: MANY })
  const byNumber = new Map(entries.map(({ fd, generation }) => [fd, generation]))
  t.ok(registrations.every(({ fd, generation }) => byNumber.get(fd) === generation))

  const closed = numbers.splice(0, 100)
  for (const fd of closed) host.close(fd)
  const found = epoll.audit({ repair: true }).counts
  t.strictSame(found, { ...clean, live: MANY - 100, zombie: 100 })
  t.strictSame(epoll.audit().counts, { ...clean, live: MANY - 100 })
  t.equal(epoll.size, MANY - 100)
  for (const fd of numbers) sys.close(fd)
  t.strictSame(epoll.audit().entries, [])
})

const canHideProc = spawnSync('unshare', ['-m', 'true']).status === 0
const areSanitized = process.env.ASAN_OPTIONS !== undefined

test(
  'without /proc: UnsupportedError, and a report without its line',
  (t) => {
    const hide = 'mount -t tmpfs none /proc && exec "$0" "$@"'
    const command = ['-m', 'sh', '-c', hide, process.execPath, fileURLToPath(child('without-proc'))]
    t.strictSame(JSON.parse(execFileSync('unshare', command, { encoding: 'utf8' })), {
      error: { name: 'UnsupportedError', code: 'ERR_UNSUPPORTED' },
      delivered: 0,
      fdinfo: null,
      action: 'deleted',
      reports: 1,
    })
  },
  {
    skip:
      (!canHideProc && 'needs a mount namespace (unshare -m)') ||
      (areSanitized && 'the sanitizers need /proc themselves'),
  },
)
