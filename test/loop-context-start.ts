// Handlers of a started loop run in the async context of the call that made their source, not in that
// of start()'s caller; and so does all that they begin.

import { AsyncLocalStorage, createHook, executionAsyncId, triggerAsyncId } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { EPOLLET, EPOLLIN, EventFd, Loop } from 'genpoll'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { inScene, KINDS } from './fixtures/kinds.js'
import { Seen } from './fixtures/seen.js'

for (const [kind, { make, happen }] of Object.entries(KINDS)) {
  test(`a handler of ${kind} and what it begins see the store of the call that made it`, async (t) => {
    const storage = new AsyncLocalStorage<string>()
    const seen = new Seen<unknown>()
    const look = (what: string) => seen.add(`${what}: ${storage.getStore()}`)
    await inScene(async (scene) => {
      storage.run('starter', () => scene.loop.start())
      const source = storage.run('maker', () =>
        make(scene, () => {
          source.remove()
          look('handler')
          process.nextTick(look, 'tick')
          queueMicrotask(() => look('microtask'))
          setImmediate(look, 'immediate')
        }),
      )
      storage.run('other', () => happen(scene))
      await seen.first(4)
    })
    t.strictSame(seen.all, [
      'handler: maker',
      'tick: maker',
      'microtask: maker',
      'immediate: maker',
    ])
    t.equal(storage.getStore(), undefined)
  })

  test(`a handler of ${kind} that was made without a store sees none`, async (t) => {
    const storage = new AsyncLocalStorage<string>()
    const seen = new Seen<unknown>()
    await inScene(async (scene) => {
      const source = make(scene, () => {
        source.remove()
        seen.add(storage.getStore())
      })
      storage.run('starter', () => scene.loop.start())
      storage.run('other', () => happen(scene))
      t.strictSame(await seen.first(1), [undefined])
    })
  })

  test(`the resource of ${kind} is the one that runs in its handler`, async (t) => {
    const seen = new Seen<number[]>()
    await inScene(async (scene) => {
      scene.loop.start()
      const source = make(scene, () => {
        source.remove()
        seen.add([executionAsyncId(), triggerAsyncId()])
      })
      happen(scene)
      t.strictSame(await seen.first(1), [[source.asyncId(), source.triggerAsyncId()]])
    })
  })
}

test('handlers of one batch have each their own', async (t) => {
  const storage = new AsyncLocalStorage<number>()
  using loop = new Loop()
  const seen = new Seen<[number, number | undefined]>()
  const bells = Array.from({ length: 20 }, () => ready())
  for (const [i, bell] of bells.entries()) {
    const watch = () => {
      loop.watch(bell, EPOLLIN | EPOLLET, () => seen.add([i, storage.getStore()]))
    }
    // Some have none.
    if (i % 3 === 0) watch()
    else storage.run(i, watch)
  }
  loop.start()
  for (const [i, store] of await seen.first(20)) t.equal(store, i % 3 === 0 ? undefined : i)
  for (const bell of bells) bell.close()
})

test('what enterWith does in a handler ends with it', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  using loop = new Loop()
  const seen = new Seen<unknown>()
  loop.defer(() => {
    storage.enterWith('entered')
    queueMicrotask(() => seen.add(storage.getStore()))
  })
  loop.defer(() => seen.add(storage.getStore()))
  loop.start()
  t.strictSame(await seen.first(2), [undefined, 'entered'])
  t.equal(storage.getStore(), undefined)
})

test('a source that a handler makes has the handler’s store', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  using loop = new Loop()
  const seen = new Seen<unknown>()
  const look = () => seen.add(storage.getStore())
  storage.run('outer', () => {
    loop.after(0, async () => {
      loop.defer(look)
      storage.run('inner', () => loop.after(0, look))
      await turn()
      loop.after(0, look)
    })
  })
  loop.start()
  t.strictSame((await seen.first(3)).sort(), ['inner', 'outer', 'outer'])
})

test('what follows ready and iterate has the store of who waits, whatever came of it', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  using loop = new Loop()
  using bell = new EventFd()
  loop.start()
  const abort = new AbortController()
  await storage.run('waiter', async () => {
    const waiting = loop.ready(bell, EPOLLIN)
    storage.run('ringer', () => bell.write())
    await waiting
    t.equal(storage.getStore(), 'waiter')
    bell.read()
    await loop.ready(bell, EPOLLIN, { timeoutMs: 1 })
    t.equal(storage.getStore(), 'waiter', 'the time is up')
    const aborted = loop.ready(bell, EPOLLIN, abort).catch(() => storage.getStore())
    storage.run('aborter', () => abort.abort())
    t.equal(await aborted, 'waiter', 'aborted')
    bell.write()
    let steps = 0
    for await (const _events of loop.iterate(bell, EPOLLIN)) {
      t.equal(storage.getStore(), 'waiter', 'a step')
      if (++steps === 3) break
    }
    t.equal(storage.getStore(), 'waiter')
  })
})

test('async_hooks see each call begin and end inside the loop’s own', async (t) => {
  using loop = new Loop()
  const types = new Map<number, string>()
  const seen = new Seen()
  const tell = (what: string, id: number) => {
    if (types.has(id)) seen.add(`${what} ${types.get(id)}`)
  }
  const hook = createHook({
    init: (id, type) => void (type.startsWith('GENPOLL_') && types.set(id, type)),
    before: (id) => tell('before', id),
    after: (id) => tell('after', id),
  }).enable()
  loop.start()
  loop.defer(() => seen.add('called'))
  await seen.first(5)
  hook.disable()
  t.strictSame(seen.all, [
    'before GENPOLL_LOOP',
    'before GENPOLL_DEFER',
    'called',
    'after GENPOLL_DEFER',
    'after GENPOLL_LOOP',
  ])
})

test('the resources are destroyed: of a source with it, of a loop with stop', async (t) => {
  using loop = new Loop()
  using bell = ready()
  const types = new Map<number, string>()
  const destroyed = new Seen()
  const hook = createHook({
    init: (id, type) => void (type.startsWith('GENPOLL_') && types.set(id, type)),
    destroy: (id) => types.has(id) && destroyed.add(types.get(id)!),
  }).enable()
  loop.start()
  await loop.ready(bell, EPOLLIN, { timeoutMs: 60_000 })
  for (let i = 0; i < 2; i++) await turn()
  t.strictSame(destroyed.all.sort(), ['GENPOLL_TIMER', 'GENPOLL_WATCH'])
  loop.stop()
  t.equal((await destroyed.first(3))[2], 'GENPOLL_LOOP')
  hook.disable()
})
