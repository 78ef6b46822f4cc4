// What comes between the batches of a started loop: ticks, microtasks, what is deferred, and Node's own
// phases.

import { setImmediate as turn } from 'node:timers/promises'
import { EPOLLET, EPOLLIN, EPOLLONESHOT, EventFd, Loop, type LoopOptions } from 'genpoll'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { Seen, turns } from './fixtures/seen.js'

/** A started loop with two descriptors that are ready, whose handlers go on to `act`. */
class Scene {
  readonly seen = new Seen()
  readonly loop: Loop
  readonly #bells = [ready(), ready()]

  constructor(act: (name: string, scene: Scene) => void, options?: LoopOptions) {
    this.loop = new Loop(options)
    for (const [i, name] of ['one', 'other'].entries()) {
      this.loop.watch(this.#bells[i]!, EPOLLIN | EPOLLET, () => {
        this.seen.add(name)
        act(name, this)
      })
    }
    this.loop.start()
  }

  [Symbol.dispose](): void {
    for (const object of [this.loop, ...this.#bells]) object.close()
  }
}

test('ticks and microtasks run after the batch, and before Node’s next phase', async (t) => {
  using scene = new Scene((name, { seen }) => {
    setImmediate(() => seen.add(`immediate of ${name}`))
    queueMicrotask(() => seen.add(`microtask of ${name}`))
    process.nextTick(() => seen.add(`tick of ${name}`))
  })
  t.strictSame(await scene.seen.first(8), [
    'one',
    'other',
    'tick of one',
    'tick of other',
    'microtask of one',
    'microtask of other',
    'immediate of one',
    'immediate of other',
  ])
})

test('they run between one batch and the next', async (t) => {
  const act = (name: string, { seen }: Scene) => {
    queueMicrotask(() => seen.add(`microtask of ${name}`))
    process.nextTick(() => seen.add(`tick of ${name}`))
  }
  using scene = new Scene(act, { maxEvents: 1 })
  t.strictSame(await scene.seen.first(6), [
    'one',
    'tick of one',
    'microtask of one',
    'other',
    'tick of other',
    'microtask of other',
  ])
})

test('what a microtask removes, stops or closes isn’t called in the next batch', async (t) => {
  for (const end of ['stop', 'close'] as const) {
    using scene = new Scene((_name, { loop }) => queueMicrotask(() => loop[end]()), {
      maxEvents: 1,
    })
    await scene.seen.first(1)
    await turns()
    t.strictSame(scene.seen.all, ['one'])
  }
})

test('an await in a handler goes on after its batch', async (t) => {
  using scene = new Scene(async (name, { seen }) => {
    await null
    seen.add(`${name} goes on`)
    await turn()
    seen.add(`${name} ends`)
  })
  t.strictSame(await scene.seen.first(6), [
    'one',
    'other',
    'one goes on',
    'other goes on',
    'one ends',
    'other ends',
  ])
})

test('what is deferred comes after the batch and before its ticks', async (t) => {
  using scene = new Scene((name, { loop, seen }) => {
    process.nextTick(() => seen.add(`tick of ${name}`))
    loop.defer(() => seen.add(`deferred by ${name}`))
  })
  t.strictSame(await scene.seen.first(6), [
    'one',
    'other',
    'deferred by one',
    'deferred by other',
    'tick of one',
    'tick of other',
  ])
})

/** Where things are deferred, beside handlers. */
const PLACES: Record<string, (act: () => void) => void> = {
  'the main program': (act) => act(),
  'a tick': (act) => process.nextTick(act),
  'a microtask': (act) => queueMicrotask(act),
  setImmediate: (act) => setImmediate(act),
  setTimeout: (act) => setTimeout(act, 1),
}

for (const [place, act] of Object.entries(PLACES)) {
  test(`what is deferred in ${place} is called in a turn of its own, in order`, async (t) => {
    using loop = new Loop()
    const seen = new Seen()
    loop.start()
    act(() => {
      for (const name of ['first', 'second']) loop.defer(() => seen.add(name))
      const removed = loop.defer(() => t.fail('called'))
      loop.defer(() => seen.add('third'))
      t.equal(removed.remove(), true)
      process.nextTick(() => seen.add('tick'))
    })
    t.strictSame(await seen.first(4), ['tick', 'first', 'second', 'third'])
  })
}

test('what a deferred handler defers comes in the next turn, after others', async (t) => {
  using loop = new Loop()
  const seen = new Seen()
  loop.defer(() => {
    seen.add('first')
    setImmediate(() => seen.add('immediate'))
    queueMicrotask(() => seen.add('microtask'))
    loop.defer(() => seen.add('second'))
  })
  loop.start()
  t.strictSame(await seen.first(4), ['first', 'microtask', 'immediate', 'second'])
})

test('more descriptors than a batch holds are all told', async (t) => {
  for (const maxEvents of [1, 7, 64]) {
    using loop = new Loop({ maxEvents })
    const bells = Array.from({ length: 100 }, () => new EventFd())
    const seen = new Seen<number>()
    for (const [i, bell] of bells.entries()) {
      loop.watch(bell, EPOLLIN | EPOLLET, () => seen.add(i))
    }
    loop.start()
    for (const bell of bells) bell.write()
    const all = [...(await seen.first(100))].sort((a, b) => a - b)
    t.strictSame(all, [...bells.keys()])
    await turns()
    t.equal(seen.all.length, 100)
    for (const bell of bells) bell.close()
  }
})

for (const [trigger, flag] of Object.entries({ EPOLLET, EPOLLONESHOT })) {
  test(`what a run that threw has left of its batch is called after start (${trigger})`, async (t) => {
    using loop = new Loop()
    const thrown = new Error('thrown')
    const bells = [ready(), ready(), ready()]
    const seen = new Seen()
    for (const [i, bell] of bells.entries()) {
      loop.watch(bell, EPOLLIN | flag, () => {
        if (i === 0) throw thrown
        seen.add(`bell ${i}`)
      })
    }
    t.throws(() => loop.run(), thrown)
    loop.start()
    t.strictSame(await seen.first(2), ['bell 1', 'bell 2'])
    loop.close()
    for (const bell of bells) bell.close()
  })
}
