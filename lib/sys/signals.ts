import { binding } from '../binding.js'
import { check } from '../errors.js'
import {
  fromMask,
  type Signal,
  signalName,
  signalNumber,
  signalNumbers,
  toMask,
} from '../signals.js'
import { int32 } from '../validate.js'
import { read } from './descriptors.js'

const { wideRegisters } = binding

/**
 * A signal as a signalfd reports it: the fields of `signalfd_siginfo` without their prefix. Which of
 * them mean something depends on `code`; the others are 0.
 *
 * @see https://man7.org/linux/man-pages/man2/signalfd.2.html
 */
export interface SignalInfo {
  signo: number
  /** The signal's name, as `'SIGUSR2'`. */
  name: string
  errno: number
  /** How it was sent: 0 by `kill`, -1 by `sigqueue`, -6 by `tgkill`, > 0 by the kernel. */
  code: number
  /** The sender. */
  pid: number
  uid: number
  fd: number
  tid: number
  band: number
  overrun: number
  trapno: number
  /** SIGCHLD: the exit status or the signal. */
  status: number
  /** The integer that `sigqueue` sent. */
  int: number
  /** The same, under the name that `siginfo_t` gives it. */
  value: number
  ptr: bigint
  utime: bigint
  stime: bigint
  addr: bigint
  addr_lsb: number
  syscall: number
  call_addr: bigint
  arch: number
}

/**
 * `signalfd(fd, mask, flags)`: a descriptor that signals are read from. They must be blocked to get
 * there, in every thread: that is what the class `SignalFd` sees to.
 *
 * @param fd -1 makes a new one; an existing one gets a new mask.
 * @param mask Signal names and numbers.
 * @param flags `SFD_CLOEXEC`, `SFD_NONBLOCK`.
 * @throws {ErrnoError} `EBADF`, `EINVAL`, `EMFILE`, `ENFILE`, `ENODEV`, `ENOMEM`.
 * @see https://man7.org/linux/man-pages/man2/signalfd.2.html
 */
export function signalfd(fd: number, mask: Iterable<Signal>, flags: number): number {
  int32(fd, 'fd')
  int32(flags, 'flags')
  wideRegisters[0] = toMask(signalNumbers(mask, 'mask'))
  return check(binding.signalfd(fd, flags), 'signalfd', fd === -1 ? undefined : fd)
}

const INFO_BYTES = 128
const info = Buffer.alloc(INFO_BYTES)

/**
 * `read(fd)` of a signalfd: the next pending signal.
 *
 * @returns `null` if none is pending (would block).
 * @throws {ErrnoError} `EBADF`, `EINVAL`.
 */
export function signalfd_read(fd: number): SignalInfo | null {
  const count = read(fd, info)
  if (count === null) return null
  const word = (at: number): number => info.readUInt32LE(at)
  const signed = (at: number): number => info.readInt32LE(at)
  const wide = (at: number): bigint => info.readBigUInt64LE(at)
  return {
    signo: word(0),
    name: signalName(word(0)),
    errno: signed(4),
    code: signed(8),
    pid: word(12),
    uid: word(16),
    fd: signed(20),
    tid: word(24),
    band: word(28),
    overrun: word(32),
    trapno: word(36),
    status: signed(40),
    int: signed(44),
    value: signed(44),
    ptr: wide(48),
    utime: wide(56),
    stime: wide(64),
    addr: wide(72),
    addr_lsb: info.readUInt16LE(80),
    syscall: signed(84),
    call_addr: wide(88),
    arch: word(96),
  }
}

/**
 * `pthread_sigmask(how, mask)`: changes which signals the calling thread blocks. The C library keeps
 * its own signals out.
 *
 * @param how `SIG_BLOCK`, `SIG_UNBLOCK` or `SIG_SETMASK`.
 * @returns The signals that it blocked before.
 * @throws {ErrnoError} `EINVAL`.
 * @see https://man7.org/linux/man-pages/man2/sigprocmask.2.html
 */
export function sigprocmask(how: number, mask: Iterable<Signal>): number[] {
  int32(how, 'how')
  wideRegisters[0] = toMask(signalNumbers(mask, 'mask'))
  check(binding.sigprocmask(how), 'sigprocmask')
  return fromMask(wideRegisters[0]!)
}

/**
 * `pidfd_open(pid, flags)`: a descriptor for a process, readable when it has ended. Always CLOEXEC.
 *
 * @param flags `0` or `PIDFD_NONBLOCK`.
 * @throws {ErrnoError} `EINVAL`, `EMFILE`, `ENFILE`, `ENOSYS` (before Linux 5.3), `ESRCH`.
 * @see https://man7.org/linux/man-pages/man2/pidfd_open.2.html
 */
export function pidfd_open(pid: number, flags: number): number {
  return check(binding.pidfd_open(int32(pid, 'pid'), int32(flags, 'flags')), 'pidfd_open')
}

/**
 * `pidfd_send_signal(pidfd, signal)`: a signal to the process, and never to another one that got its
 * pid.
 *
 * @param signal A name or a number; 0 only asks whether it could be sent.
 * @throws {ErrnoError} `EBADF`, `EINVAL`, `EPERM`, `ESRCH`.
 * @see https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html
 */
export function pidfd_send_signal(pidfd: number, signal: Signal): void {
  int32(pidfd, 'pidfd')
  const number =
    typeof signal === 'number' ? int32(signal, 'signal') : signalNumber(signal, 'signal')
  check(binding.pidfd_send_signal(pidfd, number), 'pidfd_send_signal', pidfd)
}
