import { binding } from './binding.js'
import { check, UnsupportedError } from './errors.js'
import { OwnedFd, opened } from './fd.js'
import { isAvailable } from './probe.js'
import { type Signal, signalName, signalNumber } from './signals.js'
import { pidfd_open, pidfd_send_signal } from './sys/signals.js'
import { integer } from './validate.js'

const { registers } = binding

/** How a process ended: one of the two is `null`, as in Node's `'exit'` event. */
export interface ProcessExit {
  code: number | null
  signal: string | null
}

/**
 * A process, readable when it has ended. It needn't be a child. Never reaps one, so that Node's own
 * `'exit'` events keep coming.
 *
 * @example
 * const child = spawn('sleep', ['1'])
 * using process = new PidFd(child.pid)
 * // when readable:
 * process.info() // { code: 0, signal: null }
 * @see https://man7.org/linux/man-pages/man2/pidfd_open.2.html
 */
export class PidFd extends OwnedFd {
  /**
   * @param pid A process, 1 or more.
   * @throws {ErrnoError} `ESRCH`, `EMFILE`, `ENFILE`.
   * @throws {UnsupportedError} before Linux 5.3, or where a sandbox forbids it.
   */
  constructor(pid: number) {
    integer(pid, 'pid', 1, 0x7fffffff)
    if (!isAvailable('pidfd_open')) {
      throw new UnsupportedError('pidfd_open is not available: it needs Linux 5.3, unfiltered')
    }
    // PIDFD_NONBLOCK came later than the call itself; the flag can be set on any kernel.
    super(opened(pidfd_open, pid, 0), true)
    this.setNonBlocking(true)
  }

  /**
   * Sends a signal to this very process, never to another one that got its pid.
   *
   * @param signal A name or a number; 0 only asks whether it could be sent.
   * @throws {ErrnoError} `EPERM`, `ESRCH` (it is gone).
   */
  send(signal: Signal): void {
    pidfd_send_signal(this.fd, signalNumber(signal, 'signal', 0))
  }

  /**
   * How the process ended, without reaping it.
   *
   * @returns `null` while it runs, and where it can't be asked: of another's child the kernel tells
   *   only when its parent has reaped it, and before Linux 6.15 not even then.
   */
  info(): ProcessExit | null {
    const { fd } = this
    if (check(binding.pidfd_info(fd), 'waitid', fd) === 0) return null
    const code = registers[1]!
    return code >= 0 ? { code, signal: null } : { code: null, signal: signalName(registers[2]!) }
  }
}
