import type { StaleReason } from './errors.js'
import { SLOTS } from './fd-table.js'

/** How a registration ended whose entry may still be in the kernel's list. */
export interface Grave {
  readonly token: number
  readonly cause: StaleReason
  isReported: boolean
}

/** One key for a number and a generation; the number is any word in what other processes registered. */
export function keyOf(fd: number, token: number): number | bigint {
  if (fd < SLOTS) return fd * 2 ** 32 + (token >>> 0)
  return (BigInt(fd) << 32n) | BigInt(token >>> 0)
}

/** What an interest list remembers of tokens that aren't registered any more. */
export class Past {
  /** By number: the last that ended without its entry being deleted. */
  readonly #graves = new Map<number, Grave>()
  // The rest is for events that were read before: of the running batch.
  /** Whether the entry was deleted. */
  readonly #ended = new Map<number | bigint, boolean>()
  /** By number: the generation that a registration had before it was replaced, once or more. */
  readonly #moves = new Map<number, number>()

  /** @param isPending Whether events of the running batch are still to be delivered. */
  noteDeleted(fd: number, token: number, isPending: boolean): void {
    if (isPending) this.#ended.set(keyOf(fd, token), true)
  }

  noteMoved(fd: number, token: number): void {
    if (!this.#moves.has(fd)) this.#moves.set(fd, token)
  }

  bury(fd: number, token: number, cause: StaleReason, isPending: boolean): void {
    if (isPending) this.#ended.set(keyOf(fd, token), false)
    this.#graves.set(fd, { token, cause, isReported: false })
  }

  graveOf(fd: number, token: number): Grave | undefined {
    const grave = this.#graves.get(fd)
    return grave?.token === token ? grave : undefined
  }

  /** `undefined` if it didn't end while the batch was running. */
  wasDeleted(fd: number, token: number): boolean | undefined {
    return this.#ended.get(keyOf(fd, token))
  }

  /** Whether a registration that has `token` had `former` before, until the file was replaced. */
  hasMoved(fd: number, former: number, token: number): boolean {
    const first = this.#moves.get(fd)
    return first !== undefined && (former - first) >>> 0 < (token - first) >>> 0
  }

  /** The batch is over. */
  settle(): void {
    if (this.#ended.size > 0) this.#ended.clear()
    if (this.#moves.size > 0) this.#moves.clear()
  }
}
