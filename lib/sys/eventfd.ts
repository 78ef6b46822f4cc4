import { binding } from '../binding.js'
import { check } from '../errors.js'
import { int32, integer, invalidType, outOfRange } from '../validate.js'
import { readWord, writeWord } from './word.js'

const { registers, wideRegisters } = binding

const MAX = 2n ** 64n - 1n

/**
 * `eventfd(initval, flags)`: a counter that can be polled.
 *
 * @param initval 0 to 2^32 - 1.
 * @param flags `EFD_CLOEXEC`, `EFD_NONBLOCK`, `EFD_SEMAPHORE`.
 * @throws {ErrnoError} `EINVAL`, `EMFILE`, `ENFILE`, `ENOMEM`.
 * @see https://man7.org/linux/man-pages/man2/eventfd.2.html
 */
export function eventfd(initval: number, flags: number): number {
  integer(initval, 'initval', 0, 0xffffffff)
  return check(binding.eventfd(initval | 0, int32(flags, 'flags')), 'eventfd')
}

/**
 * `read(fd)` of an eventfd: takes the whole count, or 1 from a semaphore.
 *
 * @returns 1n to 2^64 - 2, or `null` if the count is 0 (would block).
 * @throws {ErrnoError} `EBADF`, `EINVAL` (not an eventfd).
 */
export function eventfd_read(fd: number): bigint | null {
  return readWord(int32(fd, 'fd')) ? wideRegisters[0]! : null
}

/**
 * `write(fd, value)` to an eventfd: adds to the count.
 *
 * @param value 0 to 2^64 - 1; a number must be a safe integer. The kernel refuses 2^64 - 1.
 * @returns Whether it was added; `false` if the count would pass 2^64 - 2 (would block).
 * @throws {ErrnoError} `EBADF`, `EINVAL`.
 */
export function eventfd_write(fd: number, value: number | bigint): boolean {
  int32(fd, 'fd')
  setCount(value, 'value')
  return writeWord(fd)
}

/** Puts a count into wide register 0. */
export function setCount(value: number | bigint, name: string): void {
  if (typeof value === 'number' && value >>> 0 === value) {
    registers[8] = value
    registers[9] = 0
  } else if (typeof value === 'bigint') {
    if (value < 0n || value > MAX) throw outOfRange(name, `>= 0n && <= ${MAX}n`, value)
    wideRegisters[0] = value
  } else {
    if (typeof value !== 'number') throw invalidType(name, 'of type number or bigint', value)
    wideRegisters[0] = BigInt(integer(value, name, 0, Number.MAX_SAFE_INTEGER))
  }
}
