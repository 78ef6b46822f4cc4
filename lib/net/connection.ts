import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from '../constants.js'
import { ErrnoError } from '../errors.js'
import { Loop } from '../loop/loop.js'
import type { WatchSource } from '../loop/source.js'
import { boolean, integer, invalidType, object, withCode } from '../validate.js'
import { Socket } from './socket.js'

export interface ConnectionHandlers {
  /** There is something to read, or the peer has ended: `connection.read` tells. */
  readable(connection: Connection): void
  /** After a `write` that answered `false`: everything is written. */
  drain?(connection: Connection): void
  /** It is over and its socket closed; with the error if that is why. Called once. */
  close?(connection: Connection, error: ErrnoError | null): void
}

export interface ConnectionOptions {
  /** From so many bytes on that wait to be written, `write` answers `false`. Default 65,536. */
  highWaterMark?: number | undefined
  /** Whether it can be written to after the peer has ended. Default `false`: it ends as well. */
  allowHalfOpen?: boolean | undefined
}

/**
 * A socket on a loop with a queue for what can't be written at once. An error of the peer's ends the
 * connection, not the loop. From now on the socket is the connection's, to read, write and close.
 *
 * @example
 * new Connection(loop, socket, {
 *   readable(connection) {
 *     const count = connection.read(buffer)
 *     if (count && !connection.write(buffer.subarray(0, count))) connection.pause()
 *   },
 *   drain: (connection) => connection.resume(),
 * })
 */
export class Connection {
  readonly socket: Socket
  readonly source: WatchSource
  readonly #handlers: ConnectionHandlers
  readonly #highWaterMark: number
  readonly #allowHalfOpen: boolean
  #queue: Uint8Array[] = []
  #length = 0
  #mask = EPOLLIN | EPOLLRDHUP
  #isPaused = false
  #wasResumed = false
  #needsDrain = false
  /** Nothing more will be read. */
  #hasEnded = false
  /** Nothing more will be written. */
  #isEnding = false
  #closed = false

  constructor(
    loop: Loop,
    socket: Socket,
    handlers: ConnectionHandlers,
    options: ConnectionOptions = {},
  ) {
    const { highWaterMark = 65536, allowHalfOpen } = object(options)
    this.#handlers = object(handlers, 'handlers')
    for (const name of ['readable', 'drain', 'close'] as const) {
      const handler = handlers[name]
      if (typeof handler === 'function' || (handler === undefined && name !== 'readable')) continue
      throw invalidType(`handlers.${name}`, 'of type function', handler)
    }
    if (!(loop instanceof Loop)) throw invalidType('loop', 'a Loop', loop)
    if (!(socket instanceof Socket)) throw invalidType('socket', 'a Socket', socket)
    this.#highWaterMark = integer(
      highWaterMark,
      'options.highWaterMark',
      0,
      Number.MAX_SAFE_INTEGER,
    )
    this.#allowHalfOpen = boolean(allowHalfOpen, 'options.allowHalfOpen', false)
    this.socket = socket
    this.source = loop.watch(socket, this.#mask, (events) => this.#dispatch(events))
  }

  /** Whether it is over. */
  get closed(): boolean {
    return this.#closed
  }

  /** How many bytes wait to be written. */
  get writableLength(): number {
    return this.#length
  }

  /** Whether a `write` has answered `false`, and `drain` is to come. */
  get writableNeedDrain(): boolean {
    return this.#needsDrain
  }

  /**
   * As `Socket.read`. 0 also if the connection is over, for whatever reason: `close` tells.
   */
  read(buffer: NodeJS.ArrayBufferView, offset?: number, length?: number): number | null {
    if (this.#closed) return 0
    const count = this.#attempt(() => this.socket.read(buffer, offset, length))
    if (count !== 0) return count ?? (this.#closed ? 0 : null)
    // A buffer without room reads nothing, whatever there is.
    if (length === 0 || buffer.byteLength === (offset ?? 0)) return 0
    this.#hasEnded = true
    if (!this.#allowHalfOpen) this.end()
    this.#update()
    return 0
  }

  /**
   * Writes, at once or as the peer takes it. What can't be written at once is copied: the buffer can be
   * used again. On a connection that is over it does nothing.
   *
   * @returns `false` if so much is waiting that it is better to wait for `drain`.
   * @throws {Error} `ERR_STREAM_WRITE_AFTER_END` after `end()`.
   */
  write(data: Uint8Array | string): boolean {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    if (!(bytes instanceof Uint8Array)) {
      throw invalidType('data', 'a string, a Buffer or a Uint8Array', data)
    }
    if (this.#closed) return false
    if (this.#isEnding) throw withCode(new Error('write after end'), 'ERR_STREAM_WRITE_AFTER_END')
    const isFirst = this.#length === 0
    const written = isFirst ? (this.#attempt(() => this.socket.write(bytes)) ?? 0) : 0
    if (this.#closed) return false
    if (written < bytes.length) {
      // Not slice(): a Buffer's doesn't copy.
      this.#queue.push(new Uint8Array(bytes.subarray(written)))
      this.#length += bytes.length - written
      this.#update()
    }
    if (this.#length < this.#highWaterMark || this.#length === 0) return true
    this.#needsDrain = true
    return false
  }

  /**
   * Writes what is left, and then ends this side. Once the peer has ended too, the connection is
   * over.
   */
  end(data?: Uint8Array | string): void {
    if (data !== undefined) this.write(data)
    if (this.#closed || this.#isEnding) return
    this.#isEnding = true
    if (this.#length === 0) this.#finish()
  }

  /** Stops reading: what comes waits in the kernel, and then at the peer. */
  pause(): void {
    this.#isPaused = true
    this.#update()
  }

  /** Reads on. */
  resume(): void {
    this.#isPaused = false
    this.#update()
  }

  /** Ends it at once, whatever waits to be written. A second call does nothing. */
  close(): void {
    this.#close(null)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #dispatch(events: number): void {
    if ((events & EPOLLOUT) !== 0 && this.#length > 0) this.#flush()
    if (this.#closed || (events & ~EPOLLOUT) === 0) return
    const isHungUp = (events & (EPOLLERR | EPOLLHUP)) !== 0
    if (this.#hasEnded) {
      // There is nothing more to read, and now nobody to write to.
      if (isHungUp) this.#close(this.#pendingError())
      return
    }
    // Both sides have ended: nothing more comes that it could be paused for, and nobody may resume it.
    if (isHungUp && this.#isPaused && this.#isEnding && this.#length === 0 && !this.#wasResumed) {
      this.#wasResumed = true // whoever pauses again means it
      this.resume()
    }
    if (!this.#isPaused) this.#handlers.readable(this)
  }

  #pendingError(): ErrnoError | null {
    const error = this.socket.connectError()
    return error === null ? null : new ErrnoError(error.errno, 'read', { fd: this.socket.fd })
  }

  #flush(): void {
    const written = this.#attempt(() => this.socket.writev(this.#queue)) ?? 0
    if (this.#closed) return
    this.#length -= written
    this.#drop(written)
    if (this.#length > 0) return
    if (this.#isEnding) this.#finish()
    this.#update()
    if (!this.#needsDrain || this.#isEnding || this.#closed) return
    this.#needsDrain = false
    this.#handlers.drain?.(this)
  }

  /** Takes what is written out of the queue. */
  #drop(written: number): void {
    let left = written
    let count = 0
    while (count < this.#queue.length && left >= this.#queue[count]!.length) {
      left -= this.#queue[count]!.length
      count++
    }
    this.#queue.splice(0, count)
    if (left > 0) this.#queue[0] = this.#queue[0]!.subarray(left)
  }

  /** All is written that will be. */
  #finish(): void {
    if (this.#hasEnded) {
      this.#close(null)
      return
    }
    this.#attempt(() => this.socket.shutdown('write'))
    // Asked anew, whether the peer has ended before: of a unix socket that is no edge.
    this.#mask = 0
    this.#update()
  }

  /** Asks the kernel for what is wanted now. */
  #update(): void {
    if (this.#closed) return
    if (this.#hasEnded && this.#isEnding && this.#length === 0) {
      this.#close(null)
      return
    }
    const mask = (this.#length > 0 ? EPOLLOUT : 0) | this.#readMask()
    if (mask === this.#mask) return
    this.#mask = mask
    this.source.modify(mask)
  }

  /** A hang-up is reported whatever is asked for. While nobody reads or writes, once: no write ends it. */
  #readMask(): number {
    if (this.#hasEnded) return 0
    if (!this.#isPaused) return EPOLLIN | EPOLLRDHUP
    return this.#length > 0 ? 0 : EPOLLET
  }

  /** A call on the socket; an error of the kernel's ends the connection. */
  #attempt<R>(call: () => R): R | null {
    try {
      return call()
    } catch (error) {
      if (!(error instanceof ErrnoError)) throw error
      this.#close(error)
      return null
    }
  }

  #close(error: ErrnoError | null): void {
    if (this.#closed) return
    this.#closed = true
    this.#queue = []
    this.#length = 0
    this.#needsDrain = false
    this.socket.close()
    this.#handlers.close?.(this, error)
  }
}
