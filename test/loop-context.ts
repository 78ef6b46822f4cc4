// Handlers run in the async context of the call that made their source, not in that of run()'s caller.

import { AsyncLocalStorage, createHook, executionAsyncId, triggerAsyncId } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { EPOLLIN, type EventFd, Loop, type Source } from 'genpoll'
import { test } from './fixtures/check.js'
import { ready } from './fixtures/descriptors.js'
import { runToEnd } from './fixtures/run-to-end.js'
import { Shell } from './fixtures/shell.js'
import { DEADLY, send } from './fixtures/signals.js'

interface Scene {
  loop: Loop
  bell: EventFd
  shell: Shell
}

/** A source of each kind whose handler ends it. */
const KINDS: Record<string, (scene: Scene, handler: () => void) => Source> = {
  watch: ({ loop, bell }, handler) => {
    const source = loop.watch(bell, EPOLLIN, () => {
      source.remove()
      handler()
    })
    return source
  },
  after: ({ loop }, handler) => loop.after(1, handler),
  every: ({ loop }, handler) => {
    const source = loop.every(1, () => {
      source.remove()
      handler()
    })
    return source
  },
  signal: ({ loop }, handler) => {
    const source = loop.signal([DEADLY], () => {
      source.remove()
      handler()
    })
    send(DEADLY)
    return source
  },
  child: ({ loop, shell }, handler) => loop.child(shell.pid, handler),
  defer: ({ loop }, handler) => loop.defer(handler),
}

const TYPES: Record<string, string> = {
  watch: 'GENPOLL_WATCH',
  after: 'GENPOLL_TIMER',
  every: 'GENPOLL_TIMER',
  signal: 'GENPOLL_SIGNAL',
  child: 'GENPOLL_CHILD',
  defer: 'GENPOLL_DEFER',
}

async function inScene(body: (scene: Scene) => void | Promise<void>): Promise<void> {
  await using shell = new Shell('exit 0')
  using loop = new Loop()
  using bell = ready()
  await body({ loop, bell, shell })
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`a handler of ${kind} sees the store of the call that made it`, async (t) => {
    const storage = new AsyncLocalStorage<string>()
    await inScene((scene) => {
      const seen: unknown[] = []
      storage.run('maker', () => make(scene, () => seen.push(storage.getStore())))
      storage.run('runner', () => {
        runToEnd(t, scene.loop)
        t.equal(storage.getStore(), 'runner')
      })
      t.equal(storage.getStore(), undefined)
      t.strictSame(seen, ['maker'])
    })
  })

  test(`a handler of ${kind} that was made without a store sees none`, async (t) => {
    const storage = new AsyncLocalStorage<string>()
    await inScene((scene) => {
      const seen: unknown[] = []
      make(scene, () => seen.push(storage.getStore()))
      storage.run('runner', () => runToEnd(t, scene.loop))
      t.strictSame(seen, [undefined])
    })
  })

  test(`a handler of ${kind} that throws leaves the caller’s context as it was`, async (t) => {
    const storage = new AsyncLocalStorage<string>()
    await inScene((scene) => {
      storage.run('maker', () =>
        make(scene, () => {
          throw new Error('mine')
        }),
      )
      const id = executionAsyncId()
      storage.run('runner', () => {
        t.throws(() => scene.loop.run(), { message: 'mine' })
        t.equal(storage.getStore(), 'runner')
      })
      t.equal(executionAsyncId(), id)
    })
  })

  test(`async_hooks see the resource of ${kind}`, async (t) => {
    const seen: string[] = []
    const ids = new Set<number>()
    const hook = createHook({
      init(id, type, trigger, resource) {
        if (!type.startsWith('GENPOLL_')) return
        ids.add(id)
        seen.push(`init ${type}`)
        t.equal(trigger, executionAsyncId())
        t.ok((resource as Source).asyncId)
      },
      before: (id) => ids.has(id) && seen.push('before'),
      after: (id) => ids.has(id) && seen.push('after'),
      destroy: (id) => ids.has(id) && seen.push('destroy'),
    })
    await inScene(async (scene) => {
      hook.enable()
      try {
        const source = make(scene, () => {
          seen.push('handler')
          t.equal(executionAsyncId(), source.asyncId())
          t.equal(triggerAsyncId(), source.triggerAsyncId())
        })
        t.strictSame([...ids], [source.asyncId()])
        scene.loop.run()
        await turn()
      } finally {
        hook.disable()
      }
      t.strictSame(seen, [`init ${TYPES[kind]}`, 'before', 'handler', 'after', 'destroy'])
    })
  })

  for (const how of ['removed', 'closed with its loop']) {
    test(`the resource of ${kind} is destroyed when it is ${how}`, async (t) => {
      const seen: number[] = []
      const hook = createHook({ destroy: (id) => void seen.push(id) })
      await inScene(async (scene) => {
        hook.enable()
        try {
          const source = make(scene, () => t.fail('called'))
          if (how === 'removed') source.remove()
          else scene.loop.close()
          source.remove()
          await turn()
          await turn()
          t.equal(seen.filter((id) => id === source.asyncId()).length, 1)
        } finally {
          hook.disable()
        }
      })
    })
  }
}

test('each call of a handler is a before and an after', async (t) => {
  const seen: string[] = []
  let id = -1
  const hook = createHook({
    before: (one) => one === id && seen.push('before'),
    after: (one) => one === id && seen.push('after'),
  }).enable()
  using loop = new Loop()
  const source = loop.every(0.5, () => {
    seen.push('call')
    if (seen.length > 6) source.remove()
  })
  id = source.asyncId()
  loop.run()
  hook.disable()
  t.strictSame(seen, Array.from({ length: 3 }, () => ['before', 'call', 'after']).flat())
})

test('a source that a handler makes has the handler’s store', (t) => {
  const storage = new AsyncLocalStorage<string>()
  using loop = new Loop()
  const seen: unknown[] = []
  storage.run('outer', () => {
    loop.after(0, () => {
      loop.defer(() => seen.push(storage.getStore()))
      storage.run('inner', () => loop.after(0, () => seen.push(storage.getStore())))
    })
  })
  runToEnd(t, loop)
  t.strictSame(seen, ['outer', 'inner'])
})

test('what enterWith does in a handler ends with it', (t) => {
  const storage = new AsyncLocalStorage<string>()
  using loop = new Loop()
  const seen: unknown[] = []
  loop.defer(() => storage.enterWith('entered'))
  loop.defer(() => seen.push(storage.getStore()))
  runToEnd(t, loop)
  seen.push(storage.getStore())
  t.strictSame(seen, [undefined, undefined])
})

test('what a handler begins asynchronously goes on in its context', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  using loop = new Loop()
  const seen: Promise<unknown>[] = []
  storage.run('maker', () => {
    loop.after(0, () => {
      seen.push(Promise.resolve().then(() => storage.getStore()))
    })
  })
  storage.run('runner', () => runToEnd(t, loop))
  t.strictSame(await Promise.all(seen), ['maker'])
})
