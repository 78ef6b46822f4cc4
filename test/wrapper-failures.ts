// The kernel has no memory: each call that takes some is refused in turn, by a seccomp filter. What
// needs it says so, and leaves all as it was; what doesn't need it goes on. What V8 and the addon's own
// allocator can't get ends the process, as everywhere in Node.

import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { test } from './fixtures/check.js'
import { compileAddon } from './fixtures/compile.js'

const child = fileURLToPath(new URL('fixtures/children/fails-from-now.mjs', import.meta.url))

/** What each step of the child results in where nothing fails. */
const UNHARMED = {
  'new Epoll': 0,
  'new Loop': 0,
  'new EventFd': null,
  'new TimerFd': null,
  'new SignalFd': null,
  'Loop.signal': true,
  add: 'active',
  addAll: 1,
  watch: true,
  modify: null,
  events: 5,
  rebuild: null,
  size: 3,
  wait: 3,
  runOnce: 1,
  seen: 'bell,other,third',
  remove: true,
}

/** Asserts what is different where a system call fails. */
function withoutMemoryFor(t: Test, call: string, harm: Partial<Record<string, unknown>>): void {
  const args = [child, compileAddon('fail-from-now'), call, String(constants.errno.ENOMEM)]
  const { stdout, stderr, signal } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (signal !== 'SIGKILL') throw new Error(`it didn’t come to its end: ${signal} ${stderr}`)
  const { outcomes, isAsBefore, closedTwice } = JSON.parse(stdout)
  t.strictSame(outcomes, { ...UNHARMED, ...harm })
  t.equal(isAsBefore, true, 'descriptors and masks')
  t.equal(closedTwice, 'EBADF close')
}

const NO_EPOLL = 'ENOMEM epoll_create1'
const NO_ENTRY = 'ENOMEM epoll_ctl'

for (const [call, harm] of Object.entries({
  epoll_create1: { 'new Epoll': NO_EPOLL, 'new Loop': NO_EPOLL, rebuild: NO_EPOLL },
  EPOLL_CTL_ADD: {
    'new Loop': NO_ENTRY,
    'Loop.signal': NO_ENTRY,
    add: NO_ENTRY,
    addAll: NO_ENTRY,
    watch: NO_ENTRY,
    rebuild: NO_ENTRY,
    size: 1,
    wait: 1,
    runOnce: 0,
    seen: 'bell',
  },
  EPOLL_CTL_MOD: { modify: NO_ENTRY, events: 1 },
})) {
  test(`C447 no memory for ${call}`, (t) => withoutMemoryFor(t, call, harm))
}

for (const [call, harm] of Object.entries({
  eventfd2: { 'new EventFd': 'ENOMEM eventfd', 'new Loop': 'ENOMEM eventfd' },
  signalfd4: { 'new SignalFd': 'ENOMEM signalfd', 'Loop.signal': 'ENOMEM signalfd' },
  timerfd_create: {
    'new TimerFd': 'ENOMEM timerfd_create',
    'new Loop': 'ENOMEM timerfd_create',
  },
})) {
  test(`C448 no memory for ${call}`, (t) => withoutMemoryFor(t, call, harm))
}
