// What is thrown after start() is an uncaught exception of this very process. See loop-uncaught.ts for
// what that means to others.

import { once } from 'node:events'
import { EPOLLIN, EventFd, Loop } from 'genpoll'
import { test } from './fixtures/check.js'
import { Descriptors } from './fixtures/kernel.js'
import { host } from './fixtures/native-host.js'

/** The next uncaught exception, which the test runner doesn't hear of. */
async function uncaught(): Promise<unknown> {
  const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[]
  process.removeAllListeners('uncaughtException')
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
