import { constants, fstatSync, openSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { EPOLLET, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT } from '../constants.js'
import { Fd } from '../fd.js'
import { PidFd } from '../pidfd.js'
import type { Target } from '../registration.js'
import { SignalFd } from '../signalfd.js'
import { read } from '../sys/descriptors.js'
import { TimerFd } from '../timerfd.js'
import type { FdArgument } from './arguments.js'
import type { Watch } from './watch.js'

// One function for each kind of thing that can be watched. What their handlers return is printed;
// for null nothing is.

/** How often a level-triggered descriptor is looked at while it is ready. */
const LEVEL_MS = 100
/** How long an ended process may wait for its parent before it is reported without its exit. */
const REAPING_MS = 1000

/** Edge-triggered or one-shot: every event that the kernel reports is a new one. */
export function watchEdges(watch: Watch, { fd, mask }: FdArgument): void {
  if ((mask & (EPOLLOUT | EPOLLONESHOT)) === EPOLLOUT && isOutput(fd)) {
    throw new RangeError('the lines go there, so that each would make the next; use lt or oneshot')
  }
  watch.add('fd', fd, mask, (events, registration) => {
    if (((events & EPOLLHUP) | (mask & EPOLLONESHOT)) !== 0) watch.end(registration)
    return {}
  })
}

/** Whether a number names what is printed to, if by another descriptor. */
function isOutput(fd: number): boolean {
  const [one, output] = [fstatSync(fd), fstatSync(1)]
  return one.ino === output.ino && one.dev === output.dev
}

/**
 * Level-triggered, though nobody reads it: a one-shot that is armed again every so often, so that
 * what stays ready is neither reported twice nor makes the loop spin.
 */
export function watchLevel(watch: Watch, { fd, mask }: FdArgument): void {
  let last = 0
  const registration = watch.add('fd', fd, mask | EPOLLONESHOT, (events) => {
    const isNew = events !== last
    if (last === 0) watch.later(LEVEL_MS, lookAgain)
    last = events
    if ((events & EPOLLHUP) !== 0) watch.end(registration)
    return isNew ? {} : null
  })
  const lookAgain = () => {
    if (registration.state === 'disarmed') {
      registration.modify(mask | EPOLLONESHOT)
      watch.later(LEVEL_MS, lookAgain)
    } else if (registration.state === 'active') {
      // Armed since the last look, and nothing came.
      last = 0
      watch.print('fd', registration, 0, {})
    }
  }
}

export function watchTimer(watch: Watch, intervalMs: number): void {
  const timer = watch.own(new TimerFd())
  watch.add('timer', timer, EPOLLIN, () => ({ intervalMs, expirations: timer.read() }))
  timer.set({ intervalMs })
}

export function watchSignal(watch: Watch, signal: number): void {
  const signals = watch.own(new SignalFd([signal]))
  watch.add('signal', signals, EPOLLIN, () => {
    const info = signals.read()
    return info && { signal: info.name, pid: info.pid, uid: info.uid }
  })
}

/**
 * Ready when the process has ended, and again when its parent has collected it: only then can the
 * kernel say how one ended that is no child of ours.
 */
export function watchProcess(watch: Watch, pid: number): void {
  const child = watch.own(new PidFd(pid))
  let patience: TimerFd | undefined
  const registration = watch.add('pid', child, EPOLLIN | EPOLLET, (events) => {
    const exit = child.info()
    if (exit === null && (events & EPOLLHUP) === 0) {
      patience = watch.later(REAPING_MS, () => {
        watch.end(registration)
        watch.print('pid', registration, events, { pid, exit })
      })
      return null
    }
    patience?.close()
    watch.end(registration)
    return { pid, exit }
  })
}

export function watchFifo(watch: Watch, path: string): void {
  const fifo = watch.own(Fd.adopt(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)))
  watchStream(watch, 'fifo', fifo, fifo.fd, { path })
}

export function watchStdin(watch: Watch): void {
  watchStream(watch, 'stdin', 0, 0, {})
}

const buffer = Buffer.alloc(65536)

/**
 * Reads once an event, which doesn't block even where the file is blocking. Edge-triggered, and armed
 * again while there may be more: so the end of a FIFO is reported once, and its next writer too.
 */
function watchStream(watch: Watch, source: string, target: Target, fd: number, more: object): void {
  const decoder = new StringDecoder('utf8')
  const mask = EPOLLIN | EPOLLET
  watch.add(source, target, mask, (_, registration) => {
    const count = read(fd, buffer)
    const eof = count === 0
    if (!eof) registration.modify(mask)
    else if (source === 'stdin') watch.end(registration)
    // null, would block: another reader was faster.
    const bytes = Number(count)
    const data = eof ? decoder.end() : decoder.write(buffer.subarray(0, bytes))
    return { ...more, bytes, data, eof }
  })
}
