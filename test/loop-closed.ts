// A loop that is closed, and one that can't be made.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { EPOLLIN, EventFd, Loop } from 'genpoll'
import { openDescriptors, test } from './fixtures/check.js'
import { pipe } from './fixtures/descriptors.js'
import { DEADLY, masks } from './fixtures/signals.js'

const ignore = () => {}
const CLOSED = { name: 'ClosedError', code: 'ERR_CLOSED' }

test('close ends every source, and closes what the loop has opened, and nothing else', (t) => {
  const [reading, writing] = pipe()
  using bell = new EventFd()
  const before = [...openDescriptors()]
  const blocked = masks()
  const loop = new Loop()
  const sources = [
    loop.watch(bell, EPOLLIN, ignore),
    loop.watch(reading.fd, EPOLLIN, ignore),
    loop.after(60_000, ignore),
    loop.every(60_000, ignore),
    loop.signal([DEADLY], ignore),
    loop.child(process.pid, ignore),
    loop.defer(ignore),
  ]
  t.equal(loop.closed, false)
  loop.close()
  t.equal(loop.closed, true)
  t.strictSame([...openDescriptors()], before)
  t.strictSame(masks(), blocked)
  for (const source of sources) {
    t.equal(source.active, false)
    t.equal(source.remove(), false)
    t.equal(source.ref().unref(), source)
    source[Symbol.dispose]()
  }
  for (const end of [reading, writing]) end.close()
})

test('a second close does nothing, nor does a loop that is disposed of twice', (t) => {
  const before = [...openDescriptors()]
  let outlives: Loop
  {
    using loop = new Loop()
    outlives = loop
  }
  t.equal(outlives.closed, true)
  const bells = [new EventFd(), new EventFd(), new EventFd()]
  outlives.close()
  outlives[Symbol.dispose]()
  for (const bell of bells) {
    t.equal(bell.write(), true, 'what has its numbers is left alone')
    bell.close()
  }
  t.strictSame([...openDescriptors()], before)
})

const CALLS: Record<string, (loop: Loop) => unknown> = {
  watch: (loop) => loop.watch(0, EPOLLIN, ignore),
  after: (loop) => loop.after(0, ignore),
  every: (loop) => loop.every(1, ignore),
  signal: (loop) => loop.signal([DEADLY], ignore),
  child: (loop) => loop.child(process.pid, ignore),
  defer: (loop) => loop.defer(ignore),
  run: (loop) => loop.run(),
  runOnce: (loop) => loop.runOnce(),
  start: (loop) => loop.start(),
  wake: (loop) => loop.wake(),
  iterate: (loop) => loop.iterate(0, EPOLLIN),
}

test('every call that needs an open loop throws', (t) => {
  const before = [...openDescriptors()]
  const blocked = masks()
  const loop = new Loop()
  loop.close()
  for (const [name, call] of Object.entries(CALLS)) t.throws(() => call(loop), CLOSED, name)
  t.strictSame([...openDescriptors()], before)
  t.strictSame(masks(), blocked)
})

test('ready rejects', async (t) => {
  const loop = new Loop()
  loop.close()
  await t.rejects(loop.ready(0, EPOLLIN), CLOSED)
})

test('stop, ref and unref have nothing to do', (t) => {
  const loop = new Loop()
  loop.close()
  loop.stop()
  t.equal(loop.ref(), loop)
  t.equal(loop.unref(), loop)
})

test('the calls of a handler that has closed its loop throw, and run returns', (t) => {
  const loop = new Loop()
  loop.after(0, () => {
    loop.close()
    for (const [name, call] of Object.entries(CALLS)) t.throws(() => call(loop), CLOSED, name)
  })
  loop.run()
  t.throws(() => loop.run(), CLOSED)
})

test('what the handler that has closed it throws leaves run', (t) => {
  const loop = new Loop()
  loop.after(0, () => {
    loop.close()
    throw new Error('mine')
  })
  t.throws(() => loop.run(), { message: 'mine' })
})

test('a source of a closed loop is removed, for those who would change it', (t) => {
  using bell = new EventFd()
  const loop = new Loop()
  const source = loop.watch(bell, EPOLLIN, ignore)
  loop.close()
  const removed = { name: 'StaleRegistrationError', code: 'ENOENT', reason: 'removed' }
  t.throws(() => source.modify(EPOLLIN), removed)
  t.throws(() => source.verify(), removed)
  t.equal(source.fd, bell.fd)
})

test('a loop that can’t be made for want of descriptors leaves none behind', (t) => {
  const child = fileURLToPath(new URL('fixtures/children/loop-emfile.mjs', import.meta.url))
  const script = 'ulimit -n 64; exec "$0" "$@"'
  const output = execFileSync('sh', ['-c', script, process.execPath, child], { encoding: 'utf8' })
  const tries: { free: number; code?: string; left: number }[] = JSON.parse(output)
  t.strictSame(tries.at(-1), { free: tries.length - 1, left: tries.length - 1 })
  for (const [free, { code, left }] of tries.slice(0, -1).entries()) {
    t.equal(code, 'EMFILE', `with ${free} free`)
    t.equal(left, free, `with ${free} free`)
  }
})
