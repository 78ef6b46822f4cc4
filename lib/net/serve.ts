import { EPOLLIN } from '../constants.js'
import type { Loop } from '../loop/loop.js'
import type { WatchSource } from '../loop/source.js'
import { invalidType } from '../validate.js'
import type { Listener } from './listener.js'
import type { Socket } from './socket.js'

/** So many connections are accepted in a row: those that are there want their turn as well. */
const MOST_IN_A_ROW = 64
/** How long a listener rests that can't have another descriptor. */
const REST_MS = 100

/**
 * Accepts connections as they come. While the process can have no more descriptors, those that come
 * wait in the kernel's queue, and the loop isn't kept busy by them.
 *
 * @returns The listener's source: `remove()` ends it. The listener stays open.
 * @example
 * serve(loop, Listener.tcp({ port: 8080 }), (socket) => greet(socket))
 */
export function serve(
  loop: Loop,
  listener: Listener,
  onConnection: (socket: Socket) => void,
): WatchSource {
  if (typeof onConnection !== 'function') {
    throw invalidType('onConnection', 'of type function', onConnection)
  }
  const source = loop.watch(listener, EPOLLIN, () => {
    for (let i = 0; i < MOST_IN_A_ROW && source.active; i++) {
      const socket = listener.accept()
      if (socket === null) break
      onConnection(socket)
    }
    if (source.active && listener.exhaustion !== null) rest()
  })
  const rest = () => {
    source.modify(0)
    const wake = loop.after(REST_MS, () => {
      if (source.active) source.modify(EPOLLIN)
    })
    wake.unref() // the loop goes on for the listener, or not at all
  }
  return source
}
