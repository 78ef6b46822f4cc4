import { binding, pinBuffer } from './binding.js'
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLONESHOT } from './constants.js'
import { check, type StaleReason } from './errors.js'
import { eventNames } from './events.js'
import { SLOTS } from './fd-table.js'
import { lineOf, readFdinfo } from './fdinfo.js'
import type { InterestList } from './interest-list.js'
import { keyOf } from './past.js'
import { isAvailable } from './probe.js'
import { DISARMED } from './registration.js'
import { control } from './sys/epoll.js'

/** An event that wasn't delivered because nobody is registered for it any more. */
export interface StaleReport {
  /** The number and the generation that were registered. */
  readonly fd: number
  readonly generation: number
  /** What the kernel reported, by name: `['EPOLLIN', 'EPOLLHUP']`. */
  readonly events: readonly string[]
  /** How the registration ended; `'unknown'` if this `Epoll` never made it, or long ago. */
  readonly cause: StaleReason | 'unknown'
  /**
   * What became of the entry in the kernel's list. `'deleted'`: it is gone. `'deferred'`: it can't be
   * deleted by itself, and goes with the next rebuild, if it wasn't gone already. `'rebuilt'`: it went
   * with a rebuild.
   */
  readonly action: 'deleted' | 'rebuilt' | 'deferred'
  /** Its line in /proc/self/fdinfo before that, if it had one. */
  readonly fdinfo: string | null
}

/** What the diagnostics channel `genpoll:rebuild` publishes. */
export interface RebuildReport {
  /** The epoll. */
  readonly fd: number
  /** How many registrations were carried over. */
  readonly registrations: number
  /** Processor time that it took. */
  readonly costNs: number
  /** Processor time that stale wake-ups had taken since the last. */
  readonly staleNs: number
}

const { registers } = binding

/** What a rebuild may fail at. */
const STEPS = ['epoll_create1', 'epoll_ctl']

/** How many registrations are tried to learn what carrying one over costs. */
const SAMPLE = 64
/** How many turns without them end the care for stale events. */
const QUIET_TURNS = 64

function channel(name: string) {
  return process.getBuiltinModule('node:diagnostics_channel').channel(name)
}

/** The processor time since `start`, in nanoseconds. */
export function since(start: number): number {
  return (binding.cpu_clock() - start) >>> 0
}

/**
 * The entries of an interest list that nobody is registered for, and that the kernel reports all the
 * same: their number was closed or replaced without genpoll while something keeps their file open.
 * epoll_ctl(2) can't name them any more. They are dropped at each event and got rid of as soon as
 * that pays.
 */
export class Zombies<T> {
  /** Those that only a rebuild can remove, by key. */
  readonly #deferred = new Map<number | bigint, StaleReport>()
  /** What dropping their events has cost since the last rebuild, and carrying over an entry. */
  #staleNs = 0
  #entryNs = 0
  rebuilds = 0
  /** The system call at which the last rebuild failed, if it did. */
  failed = ''

  constructor(
    readonly list: InterestList<T>,
    readonly onStale: ((report: StaleReport) => void) | undefined,
    /** Whether entries that this `Epoll` didn't make may be touched. */
    readonly isOurs: boolean,
  ) {}

  /** Whether one that can't be removed has woken us lately. */
  areThere = false
  #quietTurns = 0

  /**
   * An entry without a registration has come up.
   *
   * @param isCertain It is in the kernel's list still. Not so if it was when the batch was read, and
   *   has ended since: it may have gone with its file.
   */
  meet(fd: number, token: number, events: number, isCertain: boolean): void {
    const key = keyOf(fd, token)
    if (this.#deferred.has(key)) {
      this.#rouse()
      return
    }
    const grave = this.list.past.graveOf(fd, token)
    const report = {
      fd,
      generation: token >>> 0,
      events: eventNames(events),
      cause: grave?.cause ?? ('unknown' as const),
      fdinfo: this.#isHeard ? lineOf(this.#fdinfo, fd, token) : null,
    }
    if (this.#evict(fd, token)) {
      this.#report({ ...report, action: 'deleted' })
      return
    }
    const deferred: StaleReport = { ...report, action: 'deferred' }
    if (isCertain) {
      this.#deferred.set(key, deferred)
      this.#rouse()
    }
    if (grave?.isReported) return
    if (grave !== undefined) grave.isReported = true
    this.#report(deferred)
  }

  /** Removes an entry by itself, if there is a descriptor to remove it by. */
  #evict(fd: number, token: number): boolean {
    if (!this.isOurs || fd >= SLOTS) return false
    const canEvict =
      isAvailable('close_range') && isAvailable('pidfd_open') && isAvailable('pidfd_getfd')
    const { handle } = this.list
    const rc = binding.interest_evict(handle.fd, fd, token, Number(canEvict))
    return check(rc, 'epoll_ctl') === 1
  }

  /** Read once a batch: the kernel writes down the whole list for it. */
  get #fdinfo(): string {
    const { list } = this
    try {
      list.fdinfo ??= readFdinfo(list.handle.fd)
    } catch {
      list.fdinfo = '' // an ornament of a report, which the absence of /proc mustn't turn into an error
    }
    return list.fdinfo
  }

  get #isHeard(): boolean {
    return this.onStale !== undefined || channel('genpoll:stale').hasSubscribers
  }

  #report(report: StaleReport): void {
    channel('genpoll:stale').publish(report)
    this.onStale?.(report)
  }

  #rouse(): void {
    this.areThere = true
    this.#quietTurns = 0
  }

  /** Stale events took so much processor time of a turn. */
  charge(ns: number): void {
    this.#staleNs += ns
    this.#quietTurns = ns > 0 ? 0 : this.#quietTurns + 1
    // Most likely they have gone with their files: to go on measuring would cost every wait.
    if (this.#quietTurns > QUIET_TURNS) this.areThere = false
  }

  /**
   * Whether their wake-ups have cost what a rebuild costs: to wait for that long and no longer is
   * never worse than twice the best that could have been done knowing the future.
   */
  get isDue(): boolean {
    if (!this.isOurs || this.#staleNs === 0) return false
    if (this.#entryNs === 0) this.#entryNs = this.#sample()
    return this.#staleNs >= this.#entryNs * (this.list.size + 1)
  }

  /** What it costs to put a registration into a new epoll, tried on some of them. */
  #sample(): number {
    const start = binding.cpu_clock()
    const epfd = binding.epoll_create1(EPOLL_CLOEXEC)
    /* c8 ignore next: no descriptor left, as test/rebuild-emfile.ts has it in another process. */
    if (epfd < 0) return 0 // then the rebuild is tried at once, fails likewise, and is measured
    let count = 1
    for (const registration of this.list.registrations) {
      if (registration === undefined) continue
      this.list.probe(registration)
      control(epfd, EPOLL_CTL_ADD, registration.fd, 0, 0, 0)
      if (count++ === SAMPLE) break
    }
    check(binding.close(epfd), 'close')
    return since(start) / count
  }

  /**
   * Puts a new epoll with the living registrations in the place of the old.
   *
   * @returns 0 or -errno, with nothing changed.
   */
  rebuild(): number {
    const { list } = this
    const start = binding.cpu_clock()
    const living = list.living()
    const triples = new Int32Array(3 * living.length)
    living.forEach((registration, i) => {
      triples.set([maskFor(registration), registration.fd, registration.token], 3 * i)
    })
    pinBuffer(triples, triples.byteLength)
    list.host?.pause()
    registers[1] = 0
    const rc = binding.interest_rebuild(list.handle.fd, living.length, list.hasHost ? 1 : 0)
    this.failed = STEPS[registers[1]!]!
    list.host?.resume()
    const costNs = since(start)
    const staleNs = this.#staleNs
    this.#staleNs = 0
    this.#entryNs = costNs / (living.length + 1)
    if (rc < 0) return rc
    this.rebuilds++
    living.forEach((registration, i) => {
      if (triples[3 * i] !== 0) list.confirm(registration)
    })
    const fd = list.handle.fd
    channel('genpoll:rebuild').publish({ fd, registrations: living.length, costNs, staleNs })
    const gone = [...this.#deferred.values()]
    this.#deferred.clear()
    this.areThere = false
    const errors: unknown[] = []
    for (const report of gone) {
      try {
        this.#report({ ...report, action: 'rebuilt' })
      } catch (error) {
        errors.push(error)
      }
    }
    // An onStale that throws hears of the others first.
    if (errors.length > 0) throw errors[0]
    return 0
  }
}

/**
 * A one-shot that has fired is carried over unable to fire for what it was armed for. It isn't left
 * out: its entry is what tells whether its number still names its file.
 */
function maskFor({ mask, status }: { readonly mask: number; readonly status: number }): number {
  return status === DISARMED ? EPOLLONESHOT : mask
}
