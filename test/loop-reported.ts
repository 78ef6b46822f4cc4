// What is thrown after start() is an uncaught exception of this very process. See loop-uncaught.ts for
// what that means to others.

import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { EPOLLIN, EventFd, Loop } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

/** The next uncaught exception, which the test runner doesn't hear of. */
async function uncaught(heard = () => {}): Promise<unknown> {
  const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[]
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', heard)
  try {
    const [error] = await once(process, 'uncaughtException')
    return error
  } finally {
    for (const listener of others) process.on('uncaughtException', listener)
  }
}

test('what a handler throws', async (t) => {
  using loop = new Loop()
  using bell = new EventFd({ initial: 1 })
  const thrown = new Error('thrown')
  loop.watch(bell, EPOLLIN, (_events, source) => {
    source.remove()
    throw thrown
  })
  loop.start()
  t.equal(await uncaught(), thrown)
})

test('what an onStale throws', async (t) => {
  using fds = new Descriptors()
  const thrown = new Error('thrown')
  using loop = new Loop({
    onStale: () => {
      throw thrown
    },
  })
  const [former, next] = [fds.eventfd(1), fds.eventfd()]
  const fd = fds.eventfd()
  host.dup2(former, fd)
  loop.watch(fd, EPOLLIN, () => t.fail('called for another file'))
  host.dup2(next, fd)
  loop.start()
  t.equal(await uncaught(), thrown)
})

test('what an onStale throws isn’t the fault of the handler that was called last', async (t) => {
  using fds = new Descriptors()
  const storage = new AsyncLocalStorage<string>()
  let store: string | undefined
  using loop = new Loop({
    onStale: () => {
      throw new Error('thrown')
    },
  })
  const fd = sys.dup(fds.eventfd(1))
  using bell = new EventFd({ initial: 1 })
  storage.run('handler', () =>
    loop.watch(bell, EPOLLIN, (_events, source) => {
      source.remove()
    }),
  )
  loop.watch(fd, EPOLLIN, () => t.fail('called for a file that is gone'))
  closeSync(fd)
  loop.start()
  await uncaught(() => {
    store = storage.getStore()
  })
  t.not(store, 'handler')
})
