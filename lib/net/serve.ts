import { EPOLLEXCLUSIVE, EPOLLIN } from '../constants.js'
import { Loop } from '../loop/loop.js'
import type { Source } from '../loop/source.js'
import { boolean, invalidType, object } from '../validate.js'
import { Listener } from './listener.js'
import type { Socket } from './socket.js'

export interface ServeOptions {
  /**
   * Whether other threads watch the same socket, and one of them is to be woken for a connection
   * (EPOLLEXCLUSIVE) instead of all. Default `false`.
   */
  exclusive?: boolean | undefined
}

/** So many connections are accepted in a row: those that are there want their turn as well. */
const MOST_IN_A_ROW = 64
/** How long a listener rests that can't have another descriptor. */
const REST_MS = 100

/** What `serve` has begun. */
export class Service {
  readonly #loop: Loop
  readonly #listener: Listener
  readonly #onConnection: (socket: Socket) => void
  readonly #mask: number
  /** The listener's, or that of the timer while it rests. */
  #source: Source
  #isReferenced = true

  /** @internal */
  constructor(
    loop: Loop,
    listener: Listener,
    onConnection: (socket: Socket) => void,
    mask: number,
  ) {
    this.#loop = loop
    this.#listener = listener
    this.#onConnection = onConnection
    this.#mask = mask
    this.#source = this.#watch()
  }

  /** Whether connections are accepted, now or after a rest. */
  get active(): boolean {
    return this.#source.active && !this.#listener.closed
  }

  /** Ends it. The listener stays open. */
  remove(): boolean {
    const wasActive = this.active
    this.#source.remove()
    return wasActive
  }

  /** The loop goes on for it: so it is to begin with. */
  ref(): this {
    this.#isReferenced = true
    this.#source.ref()
    return this
  }

  /** The loop doesn't go on for it alone. */
  unref(): this {
    this.#isReferenced = false
    this.#source.unref()
    return this
  }

  [Symbol.dispose](): void {
    this.remove()
  }

  #watch(): Source {
    return this.#loop.watch(this.#listener, this.#mask, () => this.#accept())
  }

  #accept(): void {
    for (let i = 0; i < MOST_IN_A_ROW && this.#source.active; i++) {
      const socket = this.#listener.accept()
      if (socket === null) break
      this.#onConnection(socket)
    }
    if (!this.#source.active || this.#listener.exhaustion === null) return
    // Taken out, not modified: with EPOLLEXCLUSIVE that isn't allowed.
    this.#source.remove()
    this.#take(this.#loop.after(REST_MS, () => this.#goOn()))
  }

  #goOn(): void {
    if (!this.#listener.closed) this.#take(this.#watch())
  }

  #take(source: Source): void {
    this.#source = source
    if (!this.#isReferenced) source.unref()
  }
}

/**
 * Accepts connections as they come. While the process can have no more descriptors, those that come
 * wait in the kernel's queue, and the loop isn't kept busy by them.
 *
 * @returns What ends it: `remove()`. The listener stays open.
 * @throws as `Loop.watch`.
 * @example
 * serve(loop, Listener.tcp({ port: 8080 }), (socket) => greet(socket))
 */
export function serve(
  loop: Loop,
  listener: Listener,
  onConnection: (socket: Socket) => void,
  options: ServeOptions = {},
): Service {
  if (!(loop instanceof Loop)) throw invalidType('loop', 'a Loop', loop)
  if (!(listener instanceof Listener)) throw invalidType('listener', 'a Listener', listener)
  if (typeof onConnection !== 'function') {
    throw invalidType('onConnection', 'of type function', onConnection)
  }
  const { exclusive } = object(options)
  const isExclusive = boolean(exclusive, 'options.exclusive', false)
  const mask = isExclusive ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN
  return new Service(loop, listener, onConnection, mask)
}
