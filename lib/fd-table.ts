import { binding } from './binding.js'
import { check } from './errors.js'
import { integer, object } from './validate.js'

/** A descriptor number together with what it meant when the token was made. */
export interface FdToken {
  readonly fd: number
  /** The generation of the number, 1 to 2^32 - 1. */
  readonly generation: number
}

const { generations } = binding

/** How many numbers have a generation: those below the kernel's default ceiling. */
export const SLOTS = 2 ** 20

/**
 * The generations of descriptor numbers. A number is recycled by the kernel as soon as it is closed;
 * its generation changes at every open, close and dup-over that genpoll makes, in whichever thread,
 * so that a token tells what the number alone can't.
 *
 * @example
 * const token = fdTable.token(fd)
 * // …
 * if (!fdTable.isCurrent(token)) return // closed meanwhile, whoever has the number now
 */
export const fdTable = {
  /**
   * The generation of a number.
   *
   * @param fd 0 to 2^20 - 1.
   * @returns 1 to 2^32 - 1, or 0 if genpoll has never seen the number, or has seen it change so often
   *   that its generations are used up.
   */
  generation(fd: number): number {
    return generations[slot(fd)]! >>> 0
  },

  /**
   * A token for what the number means now. Its generation is 0, and never current, if those of the
   * number are used up.
   */
  token(fd: number): FdToken {
    return { fd, generation: generationOf(slot(fd)) >>> 0 }
  },

  /** Whether the number still means what it did when the token was made, as far as genpoll knows. */
  isCurrent(token: FdToken): boolean {
    const { fd, generation } = object(token, 'token')
    integer(generation, 'token.generation', 0, 0xffffffff)
    return generation !== 0 && generations[slot(fd)] === (generation | 0)
  },

  /**
   * Tells the table that a number means something else now: for one that was closed or replaced
   * without genpoll.
   */
  retire(fd: number): void {
    check(binding.fd_retire(slot(fd)), 'retire', fd)
  },
}

function slot(fd: number): number {
  return integer(fd, 'fd', 0, SLOTS - 1)
}

/** The generation of a slot, as a signed word. A number that was never seen gets its first. */
export function generationOf(fd: number): number {
  // 0 is current only before the first call.
  binding.fd_retire_if(fd, 0)
  return generations[fd]!
}
