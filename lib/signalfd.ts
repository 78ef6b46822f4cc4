import { binding } from './binding.js'
import { SFD_CLOEXEC, SFD_NONBLOCK } from './constants.js'
import { ENOENT } from './errno.js'
import { check, UnsupportedError } from './errors.js'
import { OwnedFd, opened } from './fd.js'
import { type Signal, signalName, signalNumbers, toMask } from './signals.js'
import { type SignalInfo, signalfd, signalfd_read } from './sys/signals.js'
import { outOfRange } from './validate.js'

const { wideRegisters } = binding

const REFUSED: Record<string, string> = {
  SIGKILL: 'can’t be blocked',
  SIGSTOP: 'can’t be blocked',
  SIGPROF: 'belongs to the profiler',
}
for (const name of ['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP', 'SIGSYS', 'SIGABRT']) {
  REFUSED[name] =
    'reports a fault of the running thread: V8 and WebAssembly need it, and blocked it ends the process'
}

/** Why a signal can't be had safely; `undefined` if it can. */
function reasonAgainst(signal: number): string | undefined {
  const name = signalName(signal)
  if (signal >= 32 && signal <= 34) return 'belongs to the C library (musl’s takes all of 32 to 34)'
  if (name === 'SIGCHLD' && binding.signal_caught(signal) === 1) {
    return 'is how Node hears of its children, and it has some; PidFd tells of their exits'
  }
  if (name === 'SIGUSR1' && binding.signal_caught(signal) === 1) {
    return 'starts the inspector (node --disable-sigusr1 gives it up, where there is that option)'
  }
  return REFUSED[name]
}

/**
 * Signals as something to wait for and read, instead of handlers that interrupt.
 *
 * The signals are blocked in every thread of the process, so that each waits to be read: none is lost
 * to another thread or ends the process, and `process.on` doesn't hear them. The last `SignalFd` for
 * a signal to close restores the threads' masks, and discards what it hasn't read (`sys.close` and
 * `release()` leave them blocked, for whoever has the number then). Children are spawned with nothing
 * blocked; while SIGCHLD is taken, Node doesn't hear of their exits.
 *
 * @example
 * const signals = new SignalFd(['SIGINT', 'SIGTERM'])
 * // when readable:
 * const { name, pid } = signals.read()
 * @see https://man7.org/linux/man-pages/man2/signalfd.2.html
 */
export class SignalFd extends OwnedFd {
  /**
   * @param signals Names or numbers, as an array or any other iterable.
   * @throws {RangeError} for a signal that can't be had safely, with the reason.
   * @throws {ErrnoError} `EMFILE`, `ENFILE`; `ETIMEDOUT` if a thread doesn't answer.
   * @throws {UnsupportedError} without `/proc`.
   */
  constructor(signals: Iterable<Signal>) {
    const numbers = signalNumbers(signals, 'signals')
    for (const signal of numbers) {
      const reason = reasonAgainst(signal)
      if (reason === undefined) continue
      const name = signalName(signal)
      throw outOfRange('signals', `free of ${name}, which ${reason}`, name)
    }
    const mask = toMask(numbers)
    super(opened(openBlocked, numbers, mask), true, 'SignalFd', () => unblock(mask))
  }

  /**
   * The next signal.
   *
   * @returns `null` if none is pending (would block).
   */
  read(): SignalInfo | null {
    return signalfd_read(this.fd)
  }
}

/** Blocked first: a signal that comes between the two steps waits, instead of doing harm. */
function openBlocked(signals: number[], mask: bigint): number {
  wideRegisters[0] = mask
  const rc = binding.signals_block()
  /* c8 ignore start: takes a machine without /proc. */
  if (rc === ENOENT) {
    throw new UnsupportedError('SignalFd needs /proc, to find the threads of the process')
  }
  /* c8 ignore stop */
  check(rc, 'sigprocmask')
  try {
    return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK)
  } catch (error) {
    unblock(mask)
    throw error
  }
}

function unblock(mask: bigint): void {
  wideRegisters[0] = mask
  check(binding.signals_unblock(), 'sigprocmask')
}
