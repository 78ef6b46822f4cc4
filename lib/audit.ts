import { EBADF, EEXIST } from './errno.js'
import { type KernelEntry, kernelEntries } from './fdinfo.js'
import { type InterestList, isTrusted } from './interest-list.js'
import type { Registration } from './registration.js'
import type { Zombies } from './zombies.js'

/**
 * `'live'`: as it should be. `'zombie'`: in the kernel's list, under no active registration. `'lost'`:
 * active here, gone from the kernel's list. `'replaced'`: in both, but the number names another file
 * now.
 */
export type AuditStatus = 'live' | 'zombie' | 'lost' | 'replaced'

export interface AuditEntry {
  readonly fd: number
  /** The generation in the entry's token; of an entry that another process made, whatever is there. */
  readonly generation: number
  /** The mask that the kernel has, or for `'lost'` the one that was asked for. */
  readonly events: number
  readonly status: AuditStatus
}

/** What `Epoll.audit` found. */
export interface AuditReport {
  readonly entries: readonly AuditEntry[]
  readonly counts: Readonly<Record<AuditStatus, number>>
}

/** Compares the kernel's interest list with ours, entry by entry. */
export function audit<T>(list: InterestList<T>) {
  const entries: AuditEntry[] = []
  const replaced: Registration<T>[] = []
  const zombies: KernelEntry[] = []
  const missing = new Set(list.living())
  void list.size // refuses in a process that was forked off
  const judge = (entry: KernelEntry, registration: Registration<T> | undefined) => {
    let status: AuditStatus = 'zombie'
    if (registration !== undefined) {
      missing.delete(registration)
      const { token } = registration
      const rc = list.probe(registration)
      // Unless another thread has let it follow since.
      if (rc === EEXIST && registration.token === token) status = 'live'
      else if (rc !== EEXIST) {
        if (rc !== EBADF) status = 'replaced'
        replaced.push(registration)
      }
    }
    if (status === 'zombie' || status === 'replaced') zombies.push(entry)
    const { fd, dataHigh, events } = entry
    entries.push({ fd, generation: dataHigh >>> 0, events, status })
  }
  const moved: [KernelEntry, Registration<T>][] = []
  for (const entry of kernelEntries(list.handle.fd)) {
    const { fd, dataLow, dataHigh } = entry
    if (list.hasHost && dataLow === 0 && dataHigh === 0) continue
    const registration = dataLow === fd ? list.get(fd) : undefined
    if (registration !== undefined && list.past.hasMoved(fd, dataHigh, registration.token)) {
      moved.push([entry, registration])
    } else {
      judge(entry, registration?.token === dataHigh ? registration : undefined)
    }
  }
  // Replaced by another thread since the kernel wrote it down, if it wrote down nothing newer.
  for (const [entry, registration] of moved) {
    /* c8 ignore next: nothing newer, a matter of microseconds. */
    judge(entry, missing.has(registration) ? registration : undefined)
  }
  for (const registration of missing) {
    const isThere = list.probe(registration) === EEXIST
    const { fd, generation, events } = registration
    /* c8 ignore next: put there by another thread since, a matter of microseconds. */
    entries.push({ fd, generation, events, status: isThere ? 'live' : 'lost' })
  }
  const counts = { live: 0, zombie: 0, lost: 0, replaced: 0 }
  for (const { status } of entries) counts[status]++
  return { report: { entries, counts }, replaced, missing, zombies }
}

/** Puts right what an audit has found. */
export function repair<T>(
  list: InterestList<T>,
  zombies: Zombies<T>,
  found: ReturnType<typeof audit<T>>,
): void {
  for (const registration of found.replaced) list.lose(registration)
  for (const registration of found.missing) {
    // Of those that aren't trusted nothing is known any more: their file may be gone.
    if (isTrusted(registration)) list.restore(registration)
    else list.lose(registration)
  }
  // By their data, as events have it: that of another process's entry may be no number.
  for (const { dataLow, dataHigh } of found.zombies) zombies.meet(dataLow >>> 0, dataHigh, 0, true)
}
