import { binding } from './binding.js'
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
   * @returns 1 to 2^32 - 1, or 0 if genpoll has never seen the number.
   */
  generation(fd: number): number {
    return generations[slot(fd)]! >>> 0
  },

  /** A token for what the number means now. */
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
    binding.fd_retire(slot(fd))
  },
}

function slot(fd: number): number {
  return integer(fd, 'fd', 0, SLOTS - 1)
}

/** The generation of a slot, which is made known if it was never seen. As a signed word. */
export function generationOf(fd: number): number {
  const generation = generations[fd]
  if (generation) return generation
  binding.fd_retire(fd)
  return generations[fd]!
}

/** Something that holds a descriptor by number and has to let go of it before it is closed. */
export interface Holder {
  /** Returns 0, or the -errno by which the kernel says that the number names another file. */
  letGo(fd: number): number
}

// Weak, so that an unclosed Epoll can still be found by the garbage collector.
const holders = new Set<WeakRef<Holder>>()

/** Has a holder of this thread asked whenever a descriptor is about to be closed. */
export function addHolder(holder: Holder): void {
  holders.add(new WeakRef(holder))
}

/**
 * Takes a number out of every interest list of this thread, before it is closed or replaced: an
 * entry that outlives its number can't be deleted any more.
 *
 * @returns 0, or the -errno by which an interest list says that the number names another file.
 */
export function letGo(fd: number): number {
  let result = 0
  for (const reference of holders) {
    const holder = reference.deref()
    if (holder === undefined) holders.delete(reference)
    else result = holder.letGo(fd) || result
  }
  return result
}
