// A descriptor that is always ready starves nobody, and a started loop isn't starved by Node's own work.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { EPOLLIN, EPOLLOUT, EventFd, Loop, type LoopOptions } from 'genpoll'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { Seen } from './fixtures/seen.js'
import { DEADLY, send } from './fixtures/signals.js'

/** A started loop that watches what is always ready and never read. */
class Busy {
  readonly loop: Loop
  calls = 0
  readonly #bells: EventFd[]

  constructor(options?: LoopOptions, count = 1) {
    this.loop = new Loop(options)
    this.#bells = Array.from({ length: count }, ready)
    for (const bell of this.#bells) {
      this.loop.watch(bell, EPOLLIN | EPOLLOUT, () => this.calls++)
    }
    this.loop.start()
  }

  [Symbol.dispose](): void {
    for (const object of [this.loop, ...this.#bells]) object.close()
  }
}

/** One descriptor; and many more than one batch can hold. */
const BUSY: Record<string, () => Busy> = {
  'a busy descriptor': () => new Busy(),
  '200 of them, one a batch': () => new Busy({ maxEvents: 1 }, 200),
}

for (const [what, make] of Object.entries(BUSY)) {
  test(`${what}: the loop’s timers are called`, async (t) => {
    using busy = make()
    const seen = new Seen()
    let ticks = 0
    busy.loop.every(1, (expirations) => {
      ticks += expirations
    })
    for (const ms of [30, 20, 10]) busy.loop.after(ms, () => seen.add(`${ms}`))
    t.strictSame(await seen.first(3), ['10', '20', '30'])
    t.ok(ticks >= 29, `${ticks} times in 30 ms`)
    t.ok(busy.calls > 0)
  })

  test(`${what}: the loop’s other sources are called`, async (t) => {
    using busy = make()
    using bell = new EventFd()
    const seen = new Seen()
    busy.loop.watch(bell, EPOLLIN, () => seen.add(`bell ${bell.read()}`))
    for (let i = 1; i <= 10; i++) {
      bell.write(i)
      t.equal((await seen.first(i)).at(-1), `bell ${i}`)
    }
    busy.loop.defer(() => seen.add('deferred'))
    t.equal((await seen.first(11)).at(-1), 'deferred')
    t.ok(busy.calls > 1)
  })

  test(`${what}: so are those of another loop`, async (t) => {
    using busy = make()
    using loop = new Loop()
    using bell = new EventFd()
    const seen = new Seen<number>()
    loop.watch(bell, EPOLLIN, () => seen.add(bell.read()!))
    loop.start()
    for (let i = 1; i <= 10; i++) {
      bell.write(i)
      await seen.first(i)
    }
    t.ok(busy.calls > 1)
  })

  test(`${what}: setImmediate and setTimeout have their turns`, async (t) => {
    using busy = make()
    let before = busy.calls
    for (let i = 0; i < 50; i++) await turn()
    t.ok(busy.calls - before <= 51, 'one batch at a time')
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      t.ok(busy.calls > before)
      before = busy.calls
    }
  })

  test(`${what}: files are read, and messages of workers come`, async (t) => {
    using busy = make()
    const script = `require('node:worker_threads').parentPort.postMessage('hello')`
    const worker = new Worker(script, { eval: true, execArgv: [] })
    const exit = once(worker, 'exit')
    t.strictSame(await once(worker, 'message'), ['hello'])
    t.strictSame(await exit, [0])
    t.match(await readFile('/proc/self/comm', 'latin1'), /\n$/)
    t.ok(busy.calls > 0)
  })

  test(`${what}: node:http answers 50 requests`, async (t) => {
    using busy = make()
    const server = http.createServer((request, response) => response.end(request.url))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 })
    const get = async (path: string) => {
      const request = http.get({ host: '127.0.0.1', port, path, agent })
      const [response] = await once(request, 'response')
      return String(await response.setEncoding('latin1').toArray())
    }
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`)
    t.strictSame(await Promise.all(paths.map(get)), paths)
    t.ok(busy.calls > 10, `${busy.calls} calls meanwhile`)
    agent.destroy()
    server.close()
    await once(server, 'close')
  })
}

test('handlers that defer and set timers without end starve neither each other nor Node', async (t) => {
  using loop = new Loop()
  const counts = { deferred: 0, timers: 0, immediates: 0 }
  const defer = () => {
    counts.deferred++
    loop.defer(defer)
  }
  const after = () => {
    counts.timers++
    loop.after(0, after)
  }
  loop.start()
  defer()
  after()
  while (Math.min(counts.deferred, counts.timers, counts.immediates) < 50) {
    await turn()
    counts.immediates++
  }
  t.pass(JSON.stringify(counts))
})

/** Node's own work without end. */
const WORK: Record<string, (again: () => void) => unknown> = {
  setImmediate,
  setTimeout,
  'a promise after each turn': (again) => turn().then(again),
  'the end of a file’s read': (again) => readFile('/dev/null').then(again),
}

for (const [what, schedule] of Object.entries(WORK)) {
  test(`Node is busy with ${what}: the loop’s sources are called`, async (t) => {
    using loop = new Loop()
    using bell = new EventFd()
    const seen = new Seen()
    let isOver = false
    let rounds = 0
    const over = new Promise<void>((resolve) => {
      const again = () => {
        rounds++
        if (isOver) resolve()
        else schedule(again)
      }
      again()
    })
    loop.watch(bell, EPOLLIN, () => seen.add(`bell ${bell.read()}`))
    loop.start()
    for (let i = 1; i <= 10; i++) {
      bell.write(i)
      t.equal((await seen.first(i)).at(-1), `bell ${i}`)
    }
    loop.after(5, () => seen.add('after'))
    t.equal((await seen.first(11)).at(-1), 'after')
    isOver = true
    await over
    t.ok(rounds > 1)
  })
}

test('run: of several that are always ready each is called, however small the batch', (t) => {
  using loop = new Loop({ maxEvents: 1 })
  const bells = Array.from({ length: 5 }, ready)
  const calls = bells.map(() => 0)
  for (const [i, bell] of bells.entries()) {
    loop.watch(bell, EPOLLIN, () => {
      calls[i]!++
    })
  }
  for (let i = 0; i < 50; i++) t.equal(loop.runOnce(), 1)
  t.strictSame(calls, [10, 10, 10, 10, 10])
  for (const bell of bells) bell.close()
})

test('run: however many signals are pending, timers have their turns', (t) => {
  using loop = new Loop()
  let signals = 0
  let before = -1
  loop.signal([DEADLY], () => {
    if (++signals === 1000) loop.stop()
  })
  loop.after(0, () => {
    before = signals
  })
  send(DEADLY, { times: 1000 })
  loop.run()
  t.equal(signals, 1000)
  t.ok(before <= 64, `${before} signals before the timer`)
})
