// Loop.signal: each signal that the process gets is heard once, by whoever asks for it.

import { pbkdf2 } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:os'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { Loop, type SignalInfo } from 'genpoll'
import { test } from './fixtures/check.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { DEADLY, masks, send, threadsBy } from './fixtures/signals.js'
import { ToldSender } from './fixtures/told-sender.js'

const ignore = () => {}
const { SIGTERM, SIGUSR2 } = constants.signals
const hash = promisify(pbkdf2)

test('a handler is told the signal’s name and who has sent it, and is given its source', (t) => {
  using loop = new Loop()
  const calls: unknown[][] = []
  const source = loop.signal(['SIGTERM'], (...args) => calls.push(args))
  const pid = send(SIGTERM)
  t.equal(loop.runOnce(), 1)
  const [info, given] = calls[0] as [SignalInfo, unknown]
  t.match(info, { name: 'SIGTERM', signo: SIGTERM, pid, uid: process.getuid!() })
  t.equal(given, source)
  t.equal(source.active, true)
})

test('signals are named in an array, by any other iterable, or alone', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  const hear = ({ name }: SignalInfo) => seen.push(name)
  loop.signal('SIGUSR2', hear)
  loop.signal(DEADLY, hear)
  loop.signal(new Set(['SIGTERM', DEADLY + 1] as const), hear)
  const numbers = [SIGUSR2, DEADLY, SIGTERM, DEADLY + 1]
  for (const number of numbers) {
    send(number)
    t.equal(loop.runOnce(), 1)
  }
  t.equal(seen.length, 4)
  t.strictSame([seen[0], seen[2]], ['SIGUSR2', 'SIGTERM'])
})

test('one source has all that are pending, in order, with what was sent along', (t) => {
  using loop = new Loop()
  const seen: number[] = []
  loop.signal([DEADLY], ({ value }) => seen.push(value))
  for (const value of [1, 2, 3]) send(DEADLY, { value })
  t.equal(loop.runOnce(), 3)
  t.strictSame(seen, [1, 2, 3])
})

test('two sources for different signals', (t) => {
  using loop = new Loop()
  const seen: string[] = []
  loop.signal(['SIGUSR2'], ({ name }) => seen.push(`first ${name}`))
  loop.signal(['SIGTERM'], ({ name }) => seen.push(`second ${name}`))
  send(SIGTERM)
  send(SIGUSR2)
  t.equal(loop.runOnce() + loop.runOnce(0), 2)
  t.strictSame(seen.sort(), ['first SIGUSR2', 'second SIGTERM'])
})

test('C383 of two sources for one signal, one hears each that comes', (t) => {
  using loop = new Loop()
  const seen: number[] = []
  loop.signal([DEADLY], ({ value }) => seen.push(value))
  loop.signal([DEADLY, 'SIGUSR2'], ({ value }) => seen.push(value))
  for (let value = 1; value <= 10; value++) send(DEADLY, { value })
  t.equal(loop.runOnce() + loop.runOnce(0), 10)
  t.strictSame(
    seen.sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  )
})

for (const [how, end] of Object.entries({
  'a source that is removed': (loop: Loop) => {
    loop.signal([DEADLY, 'SIGUSR2'], ignore).remove()
    loop.signal([DEADLY], (_info, source) => source.remove())
    send(DEADLY)
    loop.run()
  },
  'a loop that is closed': (loop: Loop) => {
    loop.signal([DEADLY, 'SIGUSR2'], ignore)
    loop.close()
  },
  'a loop that a handler closes': (loop: Loop) => {
    loop.signal([DEADLY, 'SIGUSR2'], () => loop.close())
    send(DEADLY)
    send(DEADLY)
    loop.run()
  },
  'a signal that is refused': (loop: Loop) => {
    try {
      loop.signal([DEADLY, 'SIGKILL'], ignore)
    } catch {}
  },
})) {
  test(`${how} leaves the masks of all threads as they were`, async (t) => {
    await hash('password', 'salt', 1, 32, 'sha256') // libuv’s pool is there
    const before = masks()
    using loop = new Loop()
    end(loop)
    t.same(masks(), before)
  })
}

test('what is pending when its source is removed is gone, and ends nobody', (t) => {
  using loop = new Loop()
  let calls = 0
  loop.signal([DEADLY], (_info, source) => {
    calls++
    source.remove()
  })
  for (let i = 0; i < 3; i++) send(DEADLY)
  loop.run()
  t.equal(calls, 1)
})

test('a handler that throws leaves the signals that are pending to the next run', (t) => {
  using loop = new Loop()
  const seen: number[] = []
  loop.signal([DEADLY], ({ value }, source) => {
    seen.push(value)
    if (value === 1) throw new Error('mine')
    if (value === 3) source.remove()
  })
  for (const value of [1, 2, 3]) send(DEADLY, { value })
  t.throws(() => loop.run(), { message: 'mine' })
  t.strictSame(seen, [1])
  runToEnd(t, loop)
  t.strictSame(seen, [1, 2, 3])
})

test('1,000 signals, each acknowledged, are all heard, with libuv’s pool busy', async (t) => {
  // Its threads would take the signals, or die of them.
  const busy = Array.from({ length: 4 }, () => hash('password', 'salt', 300_000, 64, 'sha512'))
  await using sender = new ToldSender(SIGUSR2)
  using loop = new Loop()
  let count = 0
  let strangers = 0
  const source = loop.signal(['SIGUSR2'], ({ pid }) => {
    if (pid !== sender.pid) strangers++
    if (++count === 1000) source.remove()
    else sender.send()
  })
  sender.send()
  // Where others use the processor too, each signal takes as long as a turn of theirs.
  loop.run()
  t.equal(count, 1000)
  t.equal(strangers, 0)
  await Promise.all(busy)
})

test('of two loops in two threads, one hears each signal that comes', async (t) => {
  const SENT = 40
  const heard = new Int32Array(new SharedArrayBuffer(4 * (SENT + 1)))
  using loop = new Loop()
  const workerData = { signal: DEADLY, heard, waker: loop.waker }
  const worker = new Worker(new URL('./fixtures/children/loop-hears.mjs', import.meta.url), {
    workerData,
    execArgv: [],
  })
  await once(worker, 'message')
  loop.signal([DEADLY], ({ value }) => {
    Atomics.add(heard, value, 1)
    Atomics.add(heard, 0, 1)
  })
  t.strictSame(threadsBy(DEADLY).open, [])
  for (let value = 1; value <= SENT; value++) {
    send(DEADLY, { value })
    // The worker wakes us for what it has heard.
    while (Atomics.load(heard, 0) < value) loop.runOnce()
  }
  await worker.terminate()
  t.equal(loop.runOnce(0), 0)
  t.strictSame([...heard.subarray(1)], new Array(SENT).fill(1))
})

test('the end of one of them leaves the other what it asked for', async (t) => {
  using loop = new Loop()
  const heard = new Int32Array(new SharedArrayBuffer(8))
  const workerData = { signal: DEADLY, heard, waker: loop.waker }
  const worker = new Worker(new URL('./fixtures/children/loop-hears.mjs', import.meta.url), {
    workerData,
    execArgv: [],
  })
  await once(worker, 'message')
  const pids: number[] = []
  loop.signal([DEADLY], ({ pid }, source) => {
    pids.push(pid)
    source.remove()
  })
  await worker.terminate()
  t.strictSame(threadsBy(DEADLY).open, [])
  const pid = send(DEADLY)
  runToEnd(t, loop)
  t.strictSame(pids, [pid])
  t.strictSame(threadsBy(DEADLY).blocked, [])
})
