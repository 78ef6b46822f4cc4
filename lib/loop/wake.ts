import { binding } from '../binding.js'
import { check } from '../errors.js'
import { type FdToken, SLOTS } from '../fd-table.js'
import { integer, object } from '../validate.js'

/** Names a loop for `wake`. It can be posted to other threads. */
export type Waker = FdToken

/**
 * Wakes a loop, in whichever thread it runs: its wait ends, and it looks around.
 *
 * @param waker What `Loop.waker` gave.
 * @returns Whether there was a loop to wake; `false` once it is closed, whatever has its descriptor's
 *   number by then.
 * @example
 * worker.postMessage(loop.waker)
 * // in the worker:
 * wake(waker)
 */
export function wake(waker: Waker): boolean {
  const { fd, generation } = object(waker, 'waker')
  integer(fd, 'waker.fd', 0, SLOTS - 1)
  integer(generation, 'waker.generation', 0, 0xffffffff)
  return check(binding.eventfd_wake(fd, generation | 0), 'write', fd) === 0
}
