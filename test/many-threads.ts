// In a file of its own: it keeps the machine busy.

import { release } from 'node:os'
import { EPOLLIN } from 'genpoll'
import { test } from './fixtures/check.js'
import { Descriptors } from './fixtures/kernel.js'
import { Waiter } from './fixtures/waiters.js'

const THREADS = 16
const LOOKS = 20_000
const [major = 0, minor = 0, patch = 0] = release().split(/[.-]/).map(Number)
const isFixed =
  major > 7 || (major === 7 && minor >= 2) || (major === 6 && minor === 18 && patch >= 44)

test(
  'C174 a level is seen by all of many threads that look at it at once',
  async (t) => {
    using fds = new Descriptors()
    const e0 = fds.epoll([fds.eventfd(1), EPOLLIN])
    const waiters = await Promise.all(Array.from({ length: THREADS }, () => Waiter.start()))
    try {
      const misses = await Promise.all(waiters.map((waiter) => waiter.misses(e0, LOOKS)))
      t.strictSame(misses, new Array(THREADS).fill(0))
    } finally {
      await Promise.all(waiters.map((waiter) => waiter[Symbol.asyncDispose]()))
    }
  },
  { skip: !isFixed && 'a wait may overlook an event before Linux 7.2, or 6.18.44' },
)
