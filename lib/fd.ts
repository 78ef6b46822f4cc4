import { binding } from './binding.js'
import { EBADF } from './errno.js'
import { ClosedError, check, fail } from './errors.js'
import * as sys from './sys/descriptors.js'
import { integer, invalidType } from './validate.js'

const { generations } = binding

/** What is needed to clean up after an `Fd` without keeping it alive. */
interface Remains {
  readonly kind: string
  readonly fd: number
  /** The generation at which the number was taken over, by which the table knows its owner. */
  readonly since: number
  /** Where it was made, when leaks are traced. */
  readonly stack: string | undefined
  /** What its kind has to undo beside closing it, until it is done. */
  undo: (() => void) | undefined
}

const traceLeaks = process.env.GENPOLL_TRACE_LEAKS === '1'

const collected = new FinalizationRegistry<Remains>(({ kind, fd, since, stack, undo }) => {
  if (binding.fd_close(fd, since) === 0) {
    process.emitWarning(`${kind} (fd ${fd}) was garbage-collected before it was closed`, {
      type: 'GenpollWarning',
      code: 'GENPOLL_LEAK',
      detail: stack ?? 'Set GENPOLL_TRACE_LEAKS=1 to see where it was made.',
    })
  }
  undo?.()
})

/**
 * Calls what makes descriptors that are to be owned. They are from the first moment: a worker can be
 * terminated before an `OwnedFd` is made of them.
 */
export function opened<A extends unknown[], R>(open: (...args: A) => R, ...args: A): R {
  binding.fd_own_next(1)
  try {
    return open(...args)
  } finally {
    binding.fd_own_next(0)
  }
}

/**
 * An owned descriptor, whatever its kind: closed once, by `close()`, and never mistaken for another
 * that got its number. It must be closed through genpoll only: here, or with `sys.close`. If others
 * close its number (`fs.closeSync`, another addon), `verify: 'always'` still keeps events from the
 * wrong handler, and `close()` can tell a stranger under the number only while this is in an `Epoll`.
 *
 * One that is garbage-collected unclosed is closed then, with a process warning; the environment
 * variable `GENPOLL_TRACE_LEAKS=1` makes the warning show where it was made.
 */
export abstract class OwnedFd {
  readonly #fd: number
  #generation: number
  readonly #remains: Remains

  /**
   * @param isNew Whether `fd` may be closed here if it can't be owned.
   * @param undo What has to be undone beside closing it, once it is closed or collected.
   */
  protected constructor(fd: number, isNew: boolean, kind = new.target.name, undo?: () => void) {
    const number = binding.fd_own(fd, isNew ? 1 : 0)
    if (number < 0) {
      /* c8 ignore start: a new descriptor without a slot takes a limit of more than a million. */
      if (isNew) {
        binding.close(fd)
        undo?.()
      }
      /* c8 ignore stop */
      fail(number, 'adopt', { fd })
    }
    this.#fd = number
    this.#generation = generations[number]!
    this.#remains = {
      kind,
      fd: number,
      since: this.#generation,
      stack: traceLeaks ? new Error(`${kind} made here`).stack : undefined,
      undo,
    }
    collected.register(this, this.#remains, this)
  }

  /**
   * The descriptor's number.
   *
   * @throws {ClosedError} once it is closed.
   */
  get fd(): number {
    if (generations[this.#fd] !== this.#generation && this.closed) {
      throw new ClosedError(this.#remains.kind)
    }
    return this.#fd
  }

  /** The generation of the number, 1 to 2^32 - 1. `Epoll.replace` changes it. */
  get generation(): number {
    // Asked first: it may have been replaced by another thread.
    void this.closed
    return this.#generation >>> 0
  }

  /** Whether it was closed: here, by its number through `sys`, or by a `dup3` over it. */
  get closed(): boolean {
    const generation = generations[this.#fd]!
    if (generation === this.#generation) return false
    if (check(binding.fd_is_owned(this.#fd, this.#remains.since), 'adopt', this.#fd) === 0)
      return true
    // It was replaced. A number without generations left is asked about each time.
    if (generation !== 0) this.#generation = generation
    return false
  }

  /**
   * Another descriptor (CLOEXEC) for the same open file.
   *
   * @throws {ErrnoError} `EMFILE`.
   */
  dup(): Fd {
    return new Fd(check(opened(binding.dup_cloexec, this.fd), 'fcntl', this.#fd), true)
  }

  /**
   * Sets or clears `FD_CLOEXEC`. Can't hit a stranger, whichever thread closes and reuses the number
   * meanwhile.
   */
  setCloexec(on: boolean): void {
    const { fd } = this
    check(binding.fd_set_cloexec(fd, this.#remains.since, flag(on)), 'fcntl', fd)
  }

  /** Sets or clears `O_NONBLOCK` of the open file, with the same care. */
  setNonBlocking(on: boolean): void {
    const { fd } = this
    check(binding.fd_set_non_blocking(fd, this.#remains.since, flag(on)), 'ioctl', fd)
  }

  /**
   * Closes it, and takes it out of every `Epoll` first, whichever thread that is in. A second call
   * does nothing.
   *
   * @throws {ErrnoError} `EBADF` if the number was closed or replaced without genpoll, which can be
   *   told while it is in an `Epoll`: what the number names now is left open.
   */
  close(): void {
    try {
      collected.unregister(this)
      this.#judge(binding.fd_close(this.#fd, this.#remains.since), 'close')
    } finally {
      const { undo } = this.#remains
      this.#remains.undo = undefined
      undo?.()
    }
  }

  /**
   * Gives the descriptor out of hand, open: the number is the caller's to close. It leaves every
   * `Epoll`, and this object is closed.
   *
   * @returns The number, for `Fd.adopt` or for anybody else.
   */
  release(): number {
    const { fd } = this
    collected.unregister(this)
    this.#judge(binding.fd_release(fd, this.#remains.since), 'release')
    return fd
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #judge(rc: number, operation: string): void {
    if (rc === EBADF) {
      fail(rc, operation, {
        fd: this.#fd,
        generation: this.#generation >>> 0,
        hint: 'closed or replaced without genpoll; what the number names now was left alone',
      })
    }
    check(rc, operation, this.#fd)
  }
}

function flag(on: boolean): number {
  if (typeof on !== 'boolean') throw invalidType('on', 'of type boolean', on)
  return on ? 1 : 0
}

/**
 * An owned descriptor that is read and written as bytes: a pipe, a FIFO, a terminal, a device.
 *
 * @example
 * using input = Fd.adopt(fs.openSync('/dev/input/event0', constants.O_NONBLOCK))
 * const count = input.read(buffer)
 */
export class Fd extends OwnedFd {
  /**
   * Takes over an open descriptor. Its flags stay as they are.
   *
   * @throws {ErrnoError} `EBADF` not open; `EEXIST` owned already (hand over with `release()`).
   */
  static adopt(fd: number): Fd {
    return new Fd(integer(fd, 'fd', 0, 0x7fffffff), false)
  }

  /** @internal */
  constructor(fd: number, isNew: boolean) {
    super(fd, isNew)
  }

  /**
   * Reads into a part of a buffer.
   *
   * @param buffer Any typed array or `DataView`.
   * @param offset Where in it to begin, in bytes.
   * @param length How many bytes at most; to the end of the buffer unless told.
   * @returns The number of bytes, 0 at the end of the file, `null` if it would block.
   * @throws {ErrnoError} as read(2).
   * @see https://man7.org/linux/man-pages/man2/read.2.html
   */
  read(buffer: NodeJS.ArrayBufferView, offset?: number, length?: number): number | null {
    return sys.read(this.fd, buffer, offset, length)
  }

  /**
   * Writes a part of a buffer.
   *
   * @returns The number of bytes written, which may be fewer, or `null` if it would block.
   * @throws {ErrnoError} as write(2).
   * @see https://man7.org/linux/man-pages/man2/write.2.html
   */
  write(buffer: NodeJS.ArrayBufferView, offset?: number, length?: number): number | null {
    return sys.write(this.fd, buffer, offset, length)
  }
}
