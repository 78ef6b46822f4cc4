import { binding } from './binding.js'
import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE } from './constants.js'
import { OwnedFd, opened } from './fd.js'
import { eventfd, eventfd_write, setCount } from './sys/eventfd.js'
import { readWord, writeWord } from './sys/word.js'
import { boolean, integer, invalidType, object, outOfRange } from './validate.js'

const { registers, wideRegisters } = binding

const MAX = 2n ** 64n - 2n

export interface EventFdOptions {
  /** The count to begin with, 0 to 2^64 - 2. Default 0. */
  initial?: number | bigint | undefined
  /** Reading takes 1 instead of the whole count. Default `false`. */
  semaphore?: boolean | undefined
}

/**
 * A 64-bit counter in the kernel, readable while it isn't 0: the cheapest way to wake a thread.
 *
 * @example
 * const bell = new EventFd()
 * bell.write() // in any thread that has bell.fd
 * bell.read() // 1
 * @see https://man7.org/linux/man-pages/man2/eventfd.2.html
 */
export class EventFd extends OwnedFd {
  /** @throws {ErrnoError} `EMFILE`, `ENFILE`, `ENOMEM`. */
  constructor(options: EventFdOptions = {}) {
    const { initial = 0, semaphore } = object(options)
    const count = wide(initial)
    const flags = boolean(semaphore, 'options.semaphore', false) ? EFD_SEMAPHORE : 0
    // The system call takes 32 bits; the rest of a greater count is written.
    const small = count <= 0xffffffffn
    const initval = small ? Number(count) : 0
    super(opened(eventfd, initval, flags | EFD_CLOEXEC | EFD_NONBLOCK), true)
    if (!small) eventfd_write(this.fd, count)
  }

  /**
   * Adds to the count.
   *
   * @param n 0 to 2^64 - 2; a number must be a safe integer.
   * @returns Whether it was added; `false` if the count would pass 2^64 - 2 (would block).
   */
  write(n: number | bigint = 1): boolean {
    const { fd } = this
    setCount(n, 'n')
    return writeWord(fd)
  }

  /**
   * Takes the count, or 1 from a semaphore.
   *
   * @returns The count, or `null` if it is 0 (would block).
   * @throws {RangeError} if the count passes `Number.MAX_SAFE_INTEGER`; it stays for `readBig()`.
   */
  read(): number | null {
    const { fd } = this
    if (!readWord(fd)) return null
    const high = registers[9]!
    if (high === 0) return registers[8]! >>> 0
    const count = wideRegisters[0]!
    if (count <= Number.MAX_SAFE_INTEGER) return Number(count)
    eventfd_write(fd, count)
    throw outOfRange('count', '<= Number.MAX_SAFE_INTEGER; use readBig()', count)
  }

  /** As `read()`, for counts of any size. */
  readBig(): bigint | null {
    return readWord(this.fd) ? wideRegisters[0]! : null
  }
}

function wide(initial: number | bigint): bigint {
  if (typeof initial === 'number') {
    return BigInt(integer(initial, 'options.initial', 0, Number.MAX_SAFE_INTEGER))
  }
  if (typeof initial !== 'bigint') {
    throw invalidType('options.initial', 'of type number or bigint', initial)
  }
  if (initial < 0n || initial > MAX)
    throw outOfRange('options.initial', `>= 0n && <= ${MAX}n`, initial)
  return initial
}
