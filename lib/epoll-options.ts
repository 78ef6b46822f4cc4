import { binding } from './binding.js'
import type { Verify } from './interest-list.js'
import { type Signal, signalNumbers, toMask } from './signals.js'
import { object } from './validate.js'
import type { StaleReport } from './zombies.js'

const { wideRegisters } = binding

export interface EpollOptions {
  /** How many events one wait reads at most, 1 to 65,536. Default 256. */
  maxEvents?: number | undefined
  /**
   * For which descriptors the kernel is asked, right before their handler runs, whether the number
   * still names the file that was registered. `'foreign'`, the default: those that genpoll doesn't own
   * (some 0.2 µs an event). `'always'`: owned ones too, in case somebody closes them behind genpoll's
   * back. `'never'`.
   */
  verify?: Verify | undefined
  /**
   * Called when an event came that nobody is registered for any more, once for each entry of the
   * kernel's list, and again when a rebuild has removed it. Not for what was read before its
   * registration was closed or removed through genpoll: that is only counted.
   */
  onStale?: ((report: StaleReport) => void) | undefined
}

export interface AdoptOptions extends EpollOptions {
  /**
   * Whether entries that this `Epoll` didn't make are deleted when they report events. For an epoll
   * that no other process uses any more. Default `false`: their events are dropped, and while there
   * are no others, looked for again after some milliseconds.
   */
  takeOver?: boolean | undefined
}

export interface AddOptions {
  /**
   * What becomes of the registration when another file comes under its number without genpoll: by a
   * dup2(2) of other code, or by a seccomp supervisor. `'stale'`, the default: it ends. `'follow'`: it
   * goes over to the new file. For numbers whose reuse the program means.
   */
  onReplaced?: 'stale' | 'follow' | undefined
}

export interface AuditOptions {
  /** Whether to put right what is found. Default `false`. */
  repair?: boolean | undefined
}

export interface WaitOptions {
  /**
   * Signals to block while it waits, and no others but those that a `SignalFd` reads. The wait then
   * ends with `EINTR` when a signal is handled, or when a `SignalFd` is opened or closed meanwhile.
   * Block those that matter in the thread before (`sys.sigprocmask`): a wait may be several native
   * ones, and what comes before or between them is handled without ending it.
   */
  sigmask?: Iterable<Signal> | undefined
}

/** What an `Epoll` has done so far. */
export interface EpollStats {
  /** Native waits. */
  waits: number
  /** Events handed to a visitor. */
  delivered: number
  /** Events that were dropped because their descriptor had been closed, recycled or removed. */
  stale: number
  /** How often a new epoll took the place of the old, to be rid of entries that can't be deleted. */
  rebuilds: number
}

/** How the kernel polls network devices while it waits: `struct epoll_params`. */
export interface BusyPollParams {
  /** For how long, in microseconds; 0: not at all. */
  usecs: number
  /** How many packets a turn, 0 to 65,535 (more than 64 need CAP_NET_ADMIN). */
  budget: number
  /** Polling goes before interrupts. */
  prefer: boolean
}

/** The mask of a wait, if it has one. */
export function maskOf(options: WaitOptions): bigint | undefined {
  const { sigmask } = object(options)
  if (sigmask === undefined) return undefined
  const mask = toMask(signalNumbers(sigmask, 'sigmask'))
  // What a SignalFd reads stays blocked, here too: it would end the process otherwise.
  binding.signals_blocked()
  return mask | wideRegisters[0]!
}
