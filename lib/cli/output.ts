import { EPOLLIN, EPOLLOUT } from '../constants.js'
import { Epoll } from '../epoll.js'
import { isErrno } from '../errors.js'
import { Fd, type OwnedFd } from '../fd.js'
import type { Registration } from '../registration.js'
import { dup } from '../sys/descriptors.js'
import { rethrowUnless, Stopped } from './failure.js'

/** A pipe that is writable takes this much without blocking (PIPE_BUF). */
const CHUNK_BYTES = 4096

/**
 * Standard output, written with blocking waits: complete, whether or not it is non-blocking, and
 * never stuck in a write that Ctrl-C can't end.
 */
export class Output {
  /** Readable when the reader is gone or one of the enders is ready. */
  readonly epoll = new Epoll()
  /** A number of our own: Node opens a terminal anew under number 1 when it makes `process.stdout`. */
  readonly #stdout = Fd.adopt(dup(1))
  /** `undefined` for what can't be polled, and never blocks: a file, `/dev/null`. */
  readonly #registration: Registration<unknown> | undefined

  /** @param enders What, once readable, ends a write that has to wait. */
  constructor(enders: Iterable<OwnedFd>) {
    this.#stdout.setCloexec(true)
    for (const ender of enders) this.epoll.add(ender, EPOLLIN, undefined)
    try {
      // Of an empty mask the kernel still reports errors and hang-ups.
      this.#registration = this.epoll.add(this.#stdout, 0, undefined)
    } catch (error) {
      rethrowUnless(isErrno(error, 'EPERM'), error)
    }
  }

  /** @throws {Stopped} if the reader is gone, or an ender ready before all was written. */
  write(text: string): void {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; ) {
      if (this.#registration !== undefined) this.#waitFor(this.#registration)
      at += this.#tryWrite(bytes, at, Math.min(CHUNK_BYTES, bytes.length - at))
    }
  }

  #waitFor(output: Registration<unknown>): void {
    let isReady = false
    output.modify(EPOLLOUT)
    this.epoll.wait(-1, (registration) => {
      if (registration === output) isReady = true
    })
    output.modify(0)
    if (!isReady) throw new Stopped()
  }

  #tryWrite(bytes: Buffer, offset: number, length: number): number {
    try {
      // null, would block, is as good as nothing written.
      return Number(this.#stdout.write(bytes, offset, length))
    } catch (error) {
      // EIO: a terminal that was hung up.
      rethrowUnless(isErrno(error, 'EPIPE', 'EIO'), error)
      throw new Stopped()
    }
  }

  close(): void {
    this.epoll.close()
    this.#stdout.close()
  }
}
