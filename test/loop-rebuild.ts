// A started loop stays with Node's when its epoll is rebuilt, and stale events don't keep it busy.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import {
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EventFd,
  Loop,
  type LoopOptions,
  type RebuildReport,
  type StaleReport,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import type { Test } from 'tap'
import { alias } from './fixtures/behind.js'
import { test } from './fixtures/check.js'
import { ready, recycle } from './fixtures/descriptors.js'
import { hostAddon } from './fixtures/native-host.js'
import { Partner } from './fixtures/partner.js'
import { Seen, turns, turnsUntil } from './fixtures/seen.js'

/** A started loop that can be haunted, and what is published of it. */
class Scene {
  readonly loop: Loop
  readonly seen = new Seen()
  readonly rebuilds = new Seen<RebuildReport>()
  readonly stale: StaleReport[] = []
  readonly #keepers: number[] = []
  readonly #onRebuild = (report: unknown) => this.rebuilds.add(report as RebuildReport)
  readonly #onStale = (report: unknown) => void this.stale.push(report as StaleReport)

  constructor(options?: LoopOptions) {
    this.loop = new Loop(options)
    subscribe('genpoll:rebuild', this.#onRebuild)
    subscribe('genpoll:stale', this.#onStale)
    // What has become stale keeps nobody alive until the rebuild.
    this.loop.after(60_000, () => {})
    this.loop.start()
  }

  /** Leaves entries behind that only a rebuild can remove; `count` says whether they are readable. */
  haunt(t: Test, count = 1): void {
    for (let i = 0; i < 4; i++) {
      const fd = sys.eventfd(count, sys.EFD_NONBLOCK)
      this.#keepers.push(alias(fd))
      this.loop.watch(fd, EPOLLIN, () => t.fail('called'))
      closeSync(fd)
    }
  }

  /** Has a descriptor of each kind of trigger, which is rung with `ring`. */
  watch(bell: EventFd, events: number, name: string): void {
    this.loop.watch(bell, events, (_events, source) => {
      bell.read()
      if ((events & EPOLLONESHOT) !== 0) source.modify(events)
      this.seen.add(name)
    })
  }

  /** Makes the entries of before readable, so that they wake the loop. */
  rouse(): void {
    for (const keeper of this.#keepers) sys.eventfd_write(keeper, 1)
  }

  [Symbol.dispose](): void {
    unsubscribe('genpoll:rebuild', this.#onRebuild)
    unsubscribe('genpoll:stale', this.#onStale)
    this.loop.close()
    for (const keeper of this.#keepers) closeSync(keeper)
  }
}

/** Asserts that nothing wakes Node's loop any more: a busy one goes round thousands of times. */
async function assertQuiet(t: Test, { loop, stale, rebuilds }: Scene): Promise<void> {
  const before = [stale.length, rebuilds.all.length]
  const count = await turnsUntil(new Promise<unknown>((resolve) => loop.after(50, resolve)))
  t.ok(count < 50, `${count} turns in 50 ms`)
  t.strictSame([stale.length, rebuilds.all.length], before)
}

const TRIGGERS = { level: 0, edge: EPOLLET, 'one-shot': EPOLLONESHOT }

for (const [trigger, mask] of Object.entries(TRIGGERS)) {
  test(`stale events bring about a rebuild, after which others come (${trigger})`, async (t) => {
    using scene = new Scene()
    using bell = new EventFd()
    const { loop, seen, rebuilds, stale } = scene
    scene.watch(bell, EPOLLIN | mask, 'bell')
    for (let round = 1; round <= 3; round++) {
      scene.haunt(t)
      bell.write()
      await seen.first(2 * round - 1)
      await rebuilds.first(round)
      bell.write()
      await seen.first(2 * round)
      await assertQuiet(t, scene)
      t.equal(seen.all.length, 2 * round)
    }
    t.equal(rebuilds.all.length, 3)
    t.strictSame([...new Set(stale.map(({ action }) => action))], ['deferred', 'rebuilt'])
    loop.stop()
    bell.write()
    t.equal(loop.runOnce(), 1)
  })
}

test('timers, what is deferred, and wake go on after a rebuild', async (t) => {
  using scene = new Scene()
  const { loop, seen, rebuilds } = scene
  const dueMs = performance.now() + 40
  let ticks = 0
  const ticking = loop.every(1, (expirations) => {
    ticks += expirations
  })
  loop.after(40, () => {
    t.ok(performance.now() >= dueMs, 'not early')
    seen.add('after')
  })
  scene.haunt(t)
  await rebuilds.first(1)
  loop.wake()
  loop.defer(() => seen.add('deferred'))
  t.strictSame(await seen.first(2), ['deferred', 'after'])
  t.ok(ticks >= 39, `${ticks} times`)
  ticking.remove()
  await assertQuiet(t, scene)
  t.equal(seen.all.length, 2)
})

test('what another thread closes after a rebuild ends its source', async (t) => {
  await using partner = await Partner.start()
  using scene = new Scene()
  const { loop, rebuilds } = scene
  const fd = sys.eventfd(0, 0)
  const ended = loop.ready(fd, EPOLLIN)
  scene.haunt(t)
  await rebuilds.first(1)
  partner.make(['close', fd])
  await t.rejects(ended, { name: 'StaleRegistrationError', reason: 'closed' })
})

test('an audit of the loop’s own finds what wakes nobody, and rebuilds', async (t) => {
  using scene = new Scene({ auditMs: 2 })
  using bell = new EventFd()
  const { seen, rebuilds } = scene
  scene.watch(bell, EPOLLIN | EPOLLET, 'bell')
  scene.haunt(t, 0)
  await rebuilds.first(1)
  scene.rouse()
  bell.write()
  t.strictSame(await seen.first(1), ['bell'])
  await assertQuiet(t, scene)
})

for (const onReplaced of ['stale', 'follow'] as const) {
  test(`an audit of the loop’s own finds a number that was recycled (${onReplaced})`, async (t) => {
    using loop = new Loop({ auditMs: 2 })
    const seen = new Seen()
    const fd = sys.eventfd(0, 0)
    const source = loop.watch(fd, EPOLLIN, () => seen.add('new file'), { onReplaced })
    loop.start()
    recycle(fd)
    if (onReplaced === 'follow') {
      await seen.first(1)
    } else {
      const alive = loop.after(60_000, () => {})
      while (source.active) await turns()
      alive.remove()
      t.strictSame(seen.all, [])
    }
    t.equal(source.active, onReplaced === 'follow')
    closeSync(fd)
  })
}

test('a rebuild while the loop is stopped, and one while it is run', async (t) => {
  using scene = new Scene()
  using bell = new EventFd()
  const { loop, seen, rebuilds } = scene
  scene.watch(bell, EPOLLIN | EPOLLET, 'bell')
  for (let round = 1; round <= 3; round++) {
    loop.stop()
    scene.haunt(t)
    while (rebuilds.all.length < round) loop.runOnce(0)
    bell.write()
    t.equal(loop.runOnce(), 1)
    loop.start()
    bell.write()
    await seen.first(2 * round)
    await assertQuiet(t, scene)
  }
})

test('the loop that rebuilds is one of many that are ready', async (t) => {
  using scene = new Scene()
  const { loop, rebuilds } = scene
  const seen = new Seen<number>()
  const bells = [new EventFd(), new EventFd(), new EventFd(), new EventFd()]
  const loops = [loop, new Loop(), new Loop(), new Loop()]
  for (const [i, each] of loops.entries()) {
    each.watch(bells[i]!, EPOLLIN | EPOLLET, () => seen.add(i))
    each.start()
  }
  scene.haunt(t)
  await rebuilds.first(1)
  for (const bell of bells) bell.write()
  t.strictSame((await seen.first(4)).sort(), [0, 1, 2, 3])
  for (const object of [...loops, ...bells]) object.close()
})

test('stop and close in the report of a rebuild', async (t) => {
  for (const end of ['stop', 'close'] as const) {
    using bell = ready()
    using scene = new Scene()
    const { loop, seen, rebuilds } = scene
    const onRebuild = () => {
      loop[end]()
      bell.write()
    }
    scene.haunt(t)
    subscribe('genpoll:rebuild', onRebuild)
    await rebuilds.first(1)
    unsubscribe('genpoll:rebuild', onRebuild)
    await turns()
    if (end === 'stop') {
      scene.watch(bell, EPOLLIN, 'bell')
      loop.start()
      await seen.first(1)
      await assertQuiet(t, scene)
    }
  }
})

test('in a worker: a rebuild while the loop is started, and one while it is run', async (t) => {
  const script = new URL('./fixtures/children/loop-haunted.mjs', import.meta.url)
  const worker = new Worker(script, { workerData: hostAddon, execArgv: [] })
  const exit = once(worker, 'exit')
  const [seen] = await once(worker, 'message')
  t.strictSame(seen, [
    'rebuilt',
    'bell',
    'rebuilt',
    'bell',
    'run',
    'rebuilt',
    'bell',
    'run',
    'bell',
  ])
  t.strictSame(await exit, [0])
})
