// A loop that is started twice, stopped and started again, run in between, or closed.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { EPOLLET, EPOLLIN, EventFd, Loop } from 'genpoll'
import { openDescriptors, test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { inScene, KINDS } from './fixtures/kinds.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { Seen, turns } from './fixtures/seen.js'

const RUNNING = { name: 'Error', code: 'ERR_LOOP_RUNNING' }
const CLOSED = { name: 'ClosedError', code: 'ERR_CLOSED' }

/** A loop, two descriptors that are ready, and what the handlers have seen. */
class Scene {
  readonly loop = new Loop()
  readonly seen = new Seen()
  readonly one = ready()
  readonly other = ready()

  /** Watches both; the handler of the first goes on to `act`. */
  watch(act: () => void): this {
    const { loop, one, other, seen } = this
    loop.watch(one, EPOLLIN | EPOLLET, () => {
      seen.add('one')
      act()
    })
    loop.watch(other, EPOLLIN | EPOLLET, () => seen.add('other'))
    return this
  }

  [Symbol.dispose](): void {
    for (const object of [this.loop, this.one, this.other]) object.close()
  }
}

test('a second start does nothing, and one stop ends it', async (t) => {
  using scene = new Scene().watch(() => {})
  const { loop, seen, one } = scene
  for (let i = 0; i < 3; i++) loop.start()
  t.strictSame(await seen.first(2), ['one', 'other'])
  await turns()
  t.equal(seen.all.length, 2)
  loop.stop()
  one.write()
  await turns()
  t.equal(seen.all.length, 2)
})

test('a stop, or several, of a loop that wasn’t started does nothing', async (t) => {
  using scene = new Scene().watch(() => {})
  const { loop, seen } = scene
  for (let i = 0; i < 2; i++) loop.stop()
  loop.start()
  t.strictSame(await seen.first(2), ['one', 'other'])
  for (let i = 0; i < 2; i++) loop.stop()
})

for (const [kind, { make, happen }] of Object.entries(KINDS)) {
  for (const when of ['before', 'after']) {
    test(`${kind}, made ${when} stop: what comes meanwhile is told when it is started again`, async (t) => {
      await inScene(async (scene) => {
        const { loop } = scene
        const seen = new Seen()
        const handler = () => {
          source.remove()
          seen.add(kind)
        }
        loop.start()
        if (when === 'after') loop.stop()
        const source = make(scene, handler)
        loop.stop()
        happen(scene)
        await turns()
        t.strictSame(seen.all, [])
        t.equal(source.active, true)
        loop.start()
        await seen.first(1)
        await turns()
        t.strictSame(seen.all, [kind])
      })
    })
  }

  test(`${kind}: what came while it was started and not yet told is told by run`, async (t) => {
    await inScene((scene) => {
      const { loop } = scene
      const seen: string[] = []
      loop.start()
      const source = make(scene, () => {
        source.remove()
        seen.push(kind)
      })
      happen(scene)
      loop.stop()
      runToEnd(t, loop)
      t.strictSame(seen, [kind])
    })
  })
}

test('started and stopped again and again, within one turn and across turns', async (t) => {
  using loop = new Loop()
  using bell = new EventFd()
  const seen = new Seen()
  loop.watch(bell, EPOLLIN | EPOLLET, () => seen.add('bell'))
  for (let round = 1; round <= 50; round++) {
    for (let i = 0; i < round % 4; i++) {
      loop.start()
      loop.stop()
    }
    bell.write()
    loop.start()
    await seen.first(round)
    loop.stop()
  }
  t.equal(seen.all.length, 50)
})

test('stop in a handler: the batch is delivered, and nothing after it', async (t) => {
  using scene = new Scene()
  const { loop, seen, one, other } = scene.watch(() => {
    loop.defer(() => seen.add('deferred'))
    loop.stop()
  })
  loop.start()
  t.strictSame(await seen.first(3), ['one', 'other', 'deferred'])
  for (const bell of [one, other]) bell.write()
  await turns()
  t.equal(seen.all.length, 3)
  loop.start()
  t.strictSame((await seen.first(6)).slice(3), ['one', 'other', 'deferred'])
})

for (const place of ['a timer', 'what is deferred', 'a tick', 'a microtask']) {
  test(`stop in ${place}`, async (t) => {
    using scene = new Scene()
    const { loop, seen, one } = scene.watch(() => {
      const stop = () => {
        loop.stop()
        seen.add('stopped')
      }
      if (place === 'a timer') loop.after(1, stop)
      if (place === 'what is deferred') loop.defer(stop)
      if (place === 'a tick') process.nextTick(stop)
      if (place === 'a microtask') queueMicrotask(stop)
    })
    loop.start()
    await seen.first(3)
    one.write()
    await turns()
    t.strictSame(seen.all, ['one', 'other', 'stopped'])
    loop.runOnce(0)
    t.equal(seen.all[3], 'one')
  })
}

test('close in a handler drops the rest, and closes what the loop has opened', async (t) => {
  const before = openDescriptors()
  const scene = new Scene()
  const made = openDescriptors()
  const { loop, seen, one, other } = scene.watch(() => {
    loop.defer(() => t.fail('called after close'))
    loop.close()
    t.equal(loop.closed, true)
  })
  loop.after(0, () => t.fail('called after close'))
  loop.start()
  await seen.first(1)
  await turns()
  t.strictSame(seen.all, ['one'])
  t.equal(openDescriptors().size, made.size - 3)
  t.throws(() => loop.start(), CLOSED)
  for (const bell of [one, other]) bell.close()
  t.strictSame(openDescriptors(), before)
})

test('close at every other moment', async (t) => {
  const moments: Record<string, (loop: Loop) => void | Promise<void>> = {
    'right after start': () => {},
    'after start and stop': (loop) => loop.stop(),
    'after a few turns': turns,
    'with its clock about to be set': (loop) => void loop.after(1, () => t.fail('called')),
    'with a handler deferred': (loop) => void loop.defer(() => t.fail('called')),
    'when it was woken': (loop) => loop.wake(),
  }
  for (const [moment, act] of Object.entries(moments)) {
    const before = openDescriptors()
    using bell = new EventFd()
    const loop = new Loop()
    const source = loop.watch(bell, EPOLLIN, () => t.fail('called'))
    loop.start()
    await act(loop)
    loop.close()
    bell.write()
    t.equal(source.active, false, moment)
    await turns()
    bell.close()
    t.strictSame(openDescriptors(), before, moment)
  }
})

test('a loop that is made and started in the place of one that was closed', async (t) => {
  using bell = new EventFd()
  const seen = new Seen<number>()
  for (let round = 1; round <= 50; round++) {
    using loop = new Loop()
    loop.watch(bell, EPOLLIN, () => {
      bell.read()
      seen.add(round)
    })
    loop.start()
    bell.write()
    if (round % 3 === 0) await seen.first(seen.all.length + 1)
    else bell.read()
  }
  t.strictSame(
    seen.all,
    Array.from({ length: 16 }, (_, i) => 3 * (i + 1)),
  )
})

test('run and runOnce of a started loop throw, and harm nothing', async (t) => {
  using scene = new Scene().watch(() => {})
  const { loop, seen } = scene
  loop.start()
  for (let i = 0; i < 2; i++) {
    t.throws(() => loop.run(), RUNNING)
    t.throws(() => loop.runOnce(0), RUNNING)
  }
  t.strictSame(seen.all, [])
  t.strictSame(await seen.first(2), ['one', 'other'])
})

test('so do they in its handlers, and start once it was stopped there', async (t) => {
  using scene = new Scene()
  const { loop, seen, one } = scene.watch(() => {
    t.throws(() => loop.run(), RUNNING)
    t.throws(() => loop.runOnce(0), RUNNING)
    loop.stop()
    t.throws(() => loop.run(), RUNNING)
    t.throws(() => loop.runOnce(0), RUNNING)
    t.throws(() => loop.start(), RUNNING)
  })
  loop.start()
  t.strictSame(await seen.first(2), ['one', 'other'])
  one.write()
  await turns()
  t.equal(seen.all.length, 2)
})

test('start in a handler of a started loop does nothing, as elsewhere', async (t) => {
  using scene = new Scene()
  const { loop, seen } = scene.watch(() => loop.start())
  loop.start()
  t.strictSame(await seen.first(2), ['one', 'other'])
})

test('start in a handler of run throws, and after run it can be started', async (t) => {
  using scene = new Scene()
  const { loop, seen, one } = scene.watch(() => {
    if (seen.all.length === 1) t.throws(() => loop.start(), RUNNING)
  })
  t.equal(loop.runOnce(), 2)
  one.write()
  await turns()
  t.equal(seen.all.length, 2)
  loop.start()
  t.strictSame(await seen.first(3), ['one', 'other', 'one'])
})

test('a microtask after a handler can stop it, run it, and start it again', async (t) => {
  using scene = new Scene()
  const { loop, seen, one, other } = scene.watch(() => {
    queueMicrotask(() => {
      if (seen.all.length > 2) return
      loop.stop()
      for (const bell of [one, other]) bell.write()
      t.equal(loop.runOnce(), 2)
      loop.start()
      other.write()
    })
  })
  loop.start()
  t.strictSame(await seen.first(5), ['one', 'other', 'one', 'other', 'other'])
})

test('a handler of a started loop runs another, and one that is run starts another', async (t) => {
  using outer = new Loop()
  using inner = new Loop()
  const seen = new Seen()
  outer.after(1, () => {
    inner.after(1, () => {
      seen.add('run')
      inner.after(1, () => seen.add('started'))
    })
    inner.runOnce()
    inner.start()
    t.throws(() => inner.run(), RUNNING)
  })
  outer.start()
  t.strictSame(await seen.first(2), ['run', 'started'])
})

test('in a worker: what blocks and what doesn’t, by turns', async (t) => {
  const script = new URL('./fixtures/children/loop-alternates.mjs', import.meta.url)
  const worker = new Worker(script, { execArgv: [] })
  const exit = once(worker, 'exit')
  const [seen] = await once(worker, 'message')
  t.strictSame(seen, new Array(10).fill(['started', 'bell', 'run', 'bell']).flat())
  t.strictSame(await exit, [0])
})

test('in a worker: an Epoll that a started loop watches can be waited on', async (t) => {
  const script = new URL('./fixtures/children/loop-watches-epoll.mjs', import.meta.url)
  const worker = new Worker(script, { execArgv: [] })
  const exit = once(worker, 'exit')
  const [seen] = await once(worker, 'message')
  t.strictSame(seen, ['in a handler: 1', 'outside: 0', 'outside: 1'])
  t.strictSame(await exit, [0])
})
