import { binding } from '../binding.js'
import { check } from '../errors.js'
import { int32, nanoseconds } from '../validate.js'
import { readWord } from './word.js'

const { wideRegisters } = binding

/** A timer's setting, in nanoseconds. */
export interface TimerSetting {
  /** Until it fires (as an argument: or at which time); 0n: not armed. */
  valueNs: bigint
  /** From then on every so often; 0n: once. */
  intervalNs: bigint
}

/**
 * `timerfd_create(clockid, flags)`: a timer that can be polled.
 *
 * @param clockid `CLOCK_MONOTONIC`, `CLOCK_REALTIME`, `CLOCK_BOOTTIME`, …
 * @param flags `TFD_CLOEXEC`, `TFD_NONBLOCK`.
 * @throws {ErrnoError} `EINVAL`, `EMFILE`, `ENFILE`, `ENOMEM`, `EPERM` (the alarm clocks).
 * @see https://man7.org/linux/man-pages/man2/timerfd_create.2.html
 */
export function timerfd_create(clockid: number, flags: number): number {
  const rc = binding.timerfd_create(int32(clockid, 'clockid'), int32(flags, 'flags'))
  return check(rc, 'timerfd_create')
}

/**
 * `timerfd_settime(fd, flags, value, interval)`: arms a timer, or disarms it with 0n.
 *
 * @param flags `TFD_TIMER_ABSTIME`, `TFD_TIMER_CANCEL_ON_SET`.
 * @param valueNs When it fires first, 0n to 2^63 - 1: from now, or on its clock with ABSTIME.
 * @param intervalNs How often after that, 0n to 2^63 - 1.
 * @returns The old setting.
 * @throws {ErrnoError} `EBADF`, `ECANCELED`, `EINVAL`.
 */
export function timerfd_settime(
  fd: number,
  flags: number,
  valueNs: bigint,
  intervalNs: bigint,
): TimerSetting {
  int32(fd, 'fd')
  int32(flags, 'flags')
  wideRegisters[0] = nanoseconds(valueNs, 'valueNs')
  wideRegisters[1] = nanoseconds(intervalNs, 'intervalNs')
  check(binding.timerfd_settime(fd, flags), 'timerfd_settime', fd)
  return setting()
}

/**
 * `timerfd_gettime(fd)`: how long until it fires, and how often after that.
 *
 * @throws {ErrnoError} `EBADF`, `EINVAL`.
 */
export function timerfd_gettime(fd: number): TimerSetting {
  check(binding.timerfd_gettime(int32(fd, 'fd')), 'timerfd_gettime', fd)
  return setting()
}

function setting(): TimerSetting {
  return { valueNs: wideRegisters[0]!, intervalNs: wideRegisters[1]! }
}

/**
 * `read(fd)` of a timerfd: how often it has fired since the last read.
 *
 * @returns 1n or more, or `null` if it hasn't (would block).
 * @throws {ErrnoError} `EBADF`, `ECANCELED` (the clock was set, see `TFD_TIMER_CANCEL_ON_SET`),
 *   `EINVAL`.
 */
export function timerfd_read(fd: number): bigint | null {
  return readWord(int32(fd, 'fd')) ? wideRegisters[0]! : null
}
