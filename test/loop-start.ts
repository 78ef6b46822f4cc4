// Loop.start: Node's own loop calls the handlers, beside everything else that it does.

import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { EPOLLET, EPOLLIN, EventFd, Loop, type SignalInfo, type Source, wake } from 'genpoll'
import { test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { inScene, KINDS } from './fixtures/kinds.js'
import { pass } from './fixtures/poll.js'
import { Seen, turns } from './fixtures/seen.js'
import { Shell } from './fixtures/shell.js'
import { DEADLY, Sender } from './fixtures/signals.js'

const ignore = () => {}

/** Several things that are closed at the end of the block. */
class Closing<T extends { close(): void }> {
  readonly all: T[]

  constructor(...all: T[]) {
    this.all = all
  }

  [Symbol.dispose](): void {
    for (const one of this.all) one.close()
  }
}

for (const [kind, { make, happen }] of Object.entries(KINDS)) {
  for (const when of ['before', 'after']) {
    test(`a handler of ${kind} that was made ${when} start is called`, async (t) => {
      await inScene(async (scene) => {
        const { loop } = scene
        const seen = new Seen()
        if (when === 'after') loop.start()
        const source = make(scene, () => {
          source.remove()
          seen.add(kind)
        })
        if (when === 'before') loop.start()
        happen(scene)
        t.strictSame(seen.all, [], 'not before its turn')
        t.strictSame(await seen.first(1), [kind])
        t.equal(source.active, false)
        await turns()
        t.strictSame(seen.all, [kind])
      })
    })
  }

  test(`a handler of ${kind} that is removed before its turn isn’t called`, async (t) => {
    await inScene(async (scene) => {
      scene.loop.start()
      const source = make(scene, () => t.fail('called'))
      happen(scene)
      t.equal(source.remove(), true)
      await turns()
    })
  })
}

test('a watched descriptor: the mask, the source, and each time that it is ready', async (t) => {
  using loop = new Loop()
  const [reading, writing] = pipe()
  const buffer = Buffer.alloc(8)
  const seen = new Seen<[events: number, source: Source, text: string]>()
  const source = loop.watch(reading, EPOLLIN, (events, given) => {
    const count = reading.read(buffer)!
    seen.add([events, given, buffer.toString('latin1', 0, count)])
  })
  loop.start()
  const expected: unknown[] = []
  for (const text of ['one', 'two', 'three']) {
    writing.write(Buffer.from(text))
    expected.push([EPOLLIN, source, text])
    t.strictSame(await seen.first(expected.length), expected)
  }
  for (const end of [reading, writing]) end.close()
})

test('a descriptor that stays ready is told once a turn, edge-triggered once', async (t) => {
  using loop = new Loop()
  using level = ready()
  using edge = ready()
  const seen = new Seen()
  loop.watch(level, EPOLLIN, () => seen.add('level'))
  loop.watch(edge, EPOLLIN | EPOLLET, () => seen.add('edge'))
  loop.start()
  t.strictSame((await seen.first(5)).sort(), ['edge', 'level', 'level', 'level', 'level'])
  edge.write()
  level.read()
  await turns()
  t.equal(seen.all.filter((name) => name === 'edge').length, 2)
  const count = seen.all.length
  await turns()
  t.equal(seen.all.length, count)
})

test('signals of another process, with their sender', async (t) => {
  await using sender = new Sender(DEADLY)
  using loop = new Loop()
  const seen = new Seen<SignalInfo>()
  loop.signal([DEADLY], (info) => seen.add(info))
  loop.start()
  for (let count = 1; count <= 20; count++) {
    await sender.send()
    await seen.first(count)
  }
  t.strictSame(
    seen.all.map(({ signo, pid }) => [signo, pid]),
    new Array(20).fill([DEADLY, sender.pid]),
  )
})

for (const code of [0, 7]) {
  test(`a child that exits with ${code}, and Node’s own event comes as well`, async (t) => {
    await using shell = new Shell(`read _ <&3; exit ${code}`)
    using loop = new Loop()
    const seen = new Seen<unknown>()
    loop.child(shell.pid, (exit) => seen.add(exit))
    loop.start()
    shell.letGo()
    t.strictSame(await seen.first(1), [{ code, signal: null }])
    t.strictSame(await shell.exit, [code, null])
  })
}

test('timers: never early, in order, and every keeps to its grid', async (t) => {
  using loop = new Loop()
  const seen = new Seen()
  loop.start()
  const startMs = performance.now()
  for (const ms of [20.5, 3, 0, 0.25, 7]) {
    const dueMs = performance.now() + ms
    loop.after(ms, () => {
      if (performance.now() < dueMs) t.fail(`${ms} ms: too early`)
      seen.add(`${ms}`)
    })
  }
  let count = 0
  const ticking = loop.every(2, (expirations) => {
    count += expirations
    if (performance.now() < startMs + 2 * count) t.fail(`the ${count}th: too early`)
  })
  t.strictSame(await seen.first(5), ['0', '0.25', '3', '7', '20.5'])
  ticking.remove()
  t.ok(count >= 9, `${count} times in 20 ms`)
})

/** Where timers are set, beside handlers of their own loop. */
const PLACES: Record<string, (set: () => void, loop: Loop) => void> = {
  'the main program': (set) => set(),
  'a tick': (set) => process.nextTick(set),
  'a microtask': (set) => queueMicrotask(set),
  setImmediate: (set) => setImmediate(set),
  setTimeout: (set) => setTimeout(set, 1),
  'a handler': (set, loop) => loop.after(1, set),
  'what is deferred': (set, loop) => loop.defer(set),
  'a tick after a handler': (set, loop) => loop.after(1, () => process.nextTick(set)),
  'a microtask after a handler': (set, loop) => loop.after(1, () => queueMicrotask(set)),
  'a handler of another started loop': (set) => {
    const other = new Loop()
    other.after(1, () => {
      set()
      other.close()
    })
    other.start()
  },
  'a handler of another loop that is run': (set) => {
    using other = new Loop()
    other.after(1, set)
    other.run()
  },
}

for (const [place, act] of Object.entries(PLACES)) {
  test(`a timer that is set in ${place} is called`, async (t) => {
    using loop = new Loop()
    const seen = new Seen()
    loop.after(60_000, ignore)
    loop.start()
    act(() => {
      loop.after(2, () => seen.add('second'))
      loop.after(1, () => seen.add('first'))
    }, loop)
    t.strictSame(await seen.first(2), ['first', 'second'])
  })
}

test('1,000 timers that are set at once', async (t) => {
  using loop = new Loop()
  const seen = new Seen<number>()
  loop.start()
  for (let i = 0; i < 1000; i++) loop.after(5, () => seen.add(i))
  t.strictSame(
    await seen.first(1000),
    Array.from({ length: 1000 }, (_, i) => i),
  )
})

test('timers that were due while Node was busy are called at once', async (t) => {
  using loop = new Loop()
  const seen = new Seen<number>()
  loop.start()
  const source = loop.every(1, (expirations) => {
    seen.add(expirations)
    source.remove()
  })
  await turn()
  pass(20)
  const [expirations] = await seen.first(1)
  t.ok(expirations! >= 20, `${expirations} expirations`)
})

test('wake calls nobody and harms nothing', async (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  const seen = new Seen<number>()
  loop.watch(bell, EPOLLIN, () => seen.add(bell.read()!))
  loop.start()
  for (let i = 0; i < 10_000; i++) loop.wake()
  await turns()
  t.equal(wake(loop.waker), true)
  await turns()
  t.strictSame(seen.all, [])
  bell.write(3)
  t.strictSame(await seen.first(1), [3])
})

test('nor do 1,000 from a worker, while timers are called', async (t) => {
  using loop = new Loop()
  let calls = 0
  loop.every(0.5, () => calls++)
  loop.start()
  const script = `
    import('genpoll').then(({ wake }) => {
      const { workerData } = require('node:worker_threads')
      for (let i = 0; i < 1000; i++) wake(workerData)
    })`
  const options = { eval: true, execArgv: [], workerData: loop.waker }
  t.strictSame(await once(new Worker(script, options), 'exit'), [0])
  t.ok(calls > 0)
})

test('a started loop that nobody holds is neither collected nor forgotten', async (t) => {
  using bell = new EventFd()
  const seen = new Seen()
  const start = () => {
    const loop = new Loop()
    loop.watch(bell, EPOLLIN, () => {
      seen.add('bell')
      loop.close()
    })
    loop.start()
    return new WeakRef(loop)
  }
  const weak = start()
  for (let i = 0; i < 3; i++) {
    await turns()
    globalThis.gc!()
  }
  t.ok(weak.deref())
  bell.write()
  t.strictSame(await seen.first(1), ['bell'])
})

test('many loops at once', async (t) => {
  using loops = new Closing(...Array.from({ length: 50 }, () => new Loop()))
  using bells = new Closing(...loops.all.map(() => new EventFd()))
  const seen = new Seen<number>()
  loops.all.forEach((loop, i) => {
    loop.watch(bells.all[i]!, EPOLLIN | EPOLLET, () => seen.add(i))
    loop.start()
  })
  for (let round = 1; round <= 3; round++) {
    for (const bell of bells.all) bell.write()
    await seen.first(50 * round)
    const latest = seen.all.slice(-50).sort((a, b) => a - b)
    t.strictSame(latest, [...loops.all.keys()], 'each once')
  }
})

test('two loops that watch one descriptor are both called', async (t) => {
  using one = new Loop()
  using other = new Loop()
  using bell = new EventFd()
  const seen = new Seen()
  for (const [name, loop] of Object.entries({ one, other })) {
    loop.watch(bell, EPOLLIN, (_events, source) => {
      seen.add(name)
      source.remove()
    })
    loop.start()
  }
  bell.write()
  t.strictSame((await seen.first(2)).sort(), ['one', 'other'])
})

for (const end of ['close', 'stop'] as const) {
  test(`a loop to which a handler of another does a ${end} isn’t called, though it was ready`, async (t) => {
    using loops = new Closing(new Loop(), new Loop())
    using bells = new Closing(ready(), ready())
    const seen = new Seen<number>()
    for (const [i, loop] of loops.all.entries()) {
      loop.watch(bells.all[i]!, EPOLLIN, () => {
        seen.add(i)
        for (const loop of loops.all) loop[end]()
      })
      loop.start()
    }
    await seen.first(1)
    await turns()
    t.equal(seen.all.length, 1)
  })
}
