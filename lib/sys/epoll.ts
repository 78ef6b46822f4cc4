import { binding, pinEvents } from '../binding.js'
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from '../constants.js'
import { check, type ErrnoDetails, fail } from '../errors.js'
import { isAvailable } from '../probe.js'
import { type Signal, signalNumbers, toMask } from '../signals.js'
import { int32, mask32, milliseconds, nanoseconds } from '../validate.js'

const { registers, wideRegisters } = binding

const native = {
  ctl: binding.epoll_ctl,
  wait: binding.epoll_wait,
  pwait: binding.epoll_pwait,
}
const OPERATIONS: Record<number, string> = {
  [EPOLL_CTL_ADD]: 'EPOLL_CTL_ADD',
  [EPOLL_CTL_DEL]: 'EPOLL_CTL_DEL',
  [EPOLL_CTL_MOD]: 'EPOLL_CTL_MOD',
}

/**
 * `epoll_create1(flags)`: a new epoll.
 *
 * @param flags `0` or `EPOLL_CLOEXEC`.
 * @returns Its descriptor.
 * @throws {ErrnoError} `EINVAL`, `EMFILE`, `ENFILE`, `ENOMEM`.
 * @see https://man7.org/linux/man-pages/man2/epoll_create.2.html
 */
export function epoll_create1(flags: number): number {
  return check(binding.epoll_create1(int32(flags, 'flags')), 'epoll_create1')
}

/**
 * `epoll_ctl(epfd, op, fd, event)`: adds, changes or removes an entry of the interest list.
 *
 * @param op `EPOLL_CTL_ADD`, `EPOLL_CTL_MOD` or `EPOLL_CTL_DEL`.
 * @param events A mask of 32 bits; its sign doesn't matter.
 * @param dataLow The low word of `epoll_data`, handed back with each event.
 * @param dataHigh The high word.
 * @throws {ErrnoError} `EBADF`, `EEXIST`, `EINVAL`, `ELOOP`, `ENOENT`, `ENOMEM`, `ENOSPC`, `EPERM`.
 * @see https://man7.org/linux/man-pages/man2/epoll_ctl.2.html
 */
export function epoll_ctl(
  epfd: number,
  op: number,
  fd: number,
  events = 0,
  dataLow: number = fd,
  dataHigh = 0,
): void {
  const rc = control(
    int32(epfd, 'epfd'),
    int32(op, 'op'),
    int32(fd, 'fd'),
    mask32(events, 'events'),
    mask32(dataLow, 'dataLow'),
    mask32(dataHigh, 'dataHigh'),
  )
  if (rc < 0) failControl(rc, op, fd)
}

/** `epoll_ctl` on checked arguments: 0 or -errno. */
export function control(
  epfd: number,
  op: number,
  fd: number,
  events: number,
  dataLow: number,
  dataHigh: number,
): number {
  registers[0] = epfd
  registers[1] = op
  registers[2] = fd
  registers[3] = events
  registers[4] = dataLow
  registers[5] = dataHigh
  native.ctl()
  return registers[0]!
}

/** Throws what `control` returned. */
export function failControl(errno: number, op: number, fd: number, details?: ErrnoDetails): never {
  // The one error of epoll_ctl that its name doesn't tell.
  const hint = errno === -1 ? { hint: 'a file of this kind can’t be polled' } : undefined
  return fail(errno, 'epoll_ctl', { op: OPERATIONS[op] ?? `op ${op}`, fd, ...hint, ...details })
}

/**
 * `epoll_pwait(epfd, out, timeoutMs, sigmask)`: waits for events. It holds up its thread, and the end
 * of it: only `Epoll.wait` notices that its worker is being terminated.
 *
 * @param out Three words an event: `[events, dataLow, dataHigh]`. As many events as fit are read.
 * @param timeoutMs Fractions are rounded up to the nanosecond; 0 returns at once, -1 blocks.
 * @param sigmask Signals to block while it waits, and no others. The wait then ends with `EINTR`
 *   when a signal is handled; without a mask it goes on to its deadline.
 * @returns The number of events written to `out`.
 * @throws {ErrnoError} `EBADF`, `EINTR` (with a mask), `EINVAL`.
 * @see https://man7.org/linux/man-pages/man2/epoll_wait.2.html
 */
export function epoll_pwait(
  epfd: number,
  out: Uint32Array,
  timeoutMs: number,
  sigmask?: Iterable<Signal>,
): number {
  int32(epfd, 'epfd')
  milliseconds(timeoutMs, 'timeoutMs', Number.NEGATIVE_INFINITY)
  const mask = sigmask === undefined ? undefined : toMask(signalNumbers(sigmask, 'sigmask'))
  pinEvents(out)
  const rc = poll(epfd, timeoutMs, mask)
  if (rc < 0) fail(rc, 'epoll_pwait', { fd: epfd })
  return rc
}

/**
 * `epoll_pwait2(epfd, out, timeout, sigmask)`: as `epoll_pwait`, in nanoseconds. Where the kernel
 * (before 5.11) or the sandbox doesn't have it, the timeout is rounded up to the millisecond.
 *
 * @param timeoutNs From 0n to 2^63 - 1; -1n blocks.
 */
export function epoll_pwait2(
  epfd: number,
  out: Uint32Array,
  timeoutNs: bigint,
  sigmask?: Iterable<Signal>,
): number {
  int32(epfd, 'epfd')
  nanoseconds(timeoutNs, 'timeoutNs', -1n)
  const mask = sigmask === undefined ? undefined : toMask(signalNumbers(sigmask, 'sigmask'))
  pinEvents(out)
  const blocks = timeoutNs < 0n
  // 2^31 seconds, which is as much as the boundary takes, are 68 years.
  const seconds = timeoutNs / 1_000_000_000n
  const rc = pollFor(
    epfd,
    blocks ? -1 : Number(seconds < 0x7fffffffn ? seconds : 0x7fffffffn),
    blocks ? 0 : Number(timeoutNs % 1_000_000_000n),
    mask,
  )
  if (rc < 0) fail(rc, 'epoll_pwait2', { fd: epfd })
  return rc
}

/**
 * `epoll_pwait` on checked arguments, into the array that was pinned last: the number of events or
 * -errno.
 */
export function poll(epfd: number, timeoutMs: number, mask: bigint | undefined): number {
  const whole = timeoutMs | 0
  if (whole !== timeoutMs || mask !== undefined) return pollExactly(epfd, timeoutMs, mask)
  registers[0] = epfd
  registers[1] = whole
  native.wait()
  return registers[0]!
}

/** The rest of `poll`, kept apart so that what nearly every wait needs stays small. */
function pollExactly(epfd: number, timeoutMs: number, mask: bigint | undefined): number {
  if (timeoutMs < 0) return pollFor(epfd, -1, 0, mask)
  const seconds = Math.floor(timeoutMs / 1000)
  const rest = Math.ceil((timeoutMs - seconds * 1000) * 1e6)
  return rest === 1e9 ? pollFor(epfd, seconds + 1, 0, mask) : pollFor(epfd, seconds, rest, mask)
}

function pollFor(epfd: number, seconds: number, rest: number, mask: bigint | undefined): number {
  const usesPwait2 = rest % 1e6 !== 0 && isAvailable('epoll_pwait2')
  registers[0] = epfd
  registers[1] = seconds
  registers[2] = rest
  registers[3] = mask === undefined ? 0 : 1
  registers[4] = usesPwait2 ? 1 : 0
  if (mask !== undefined) wideRegisters[0] = mask
  native.pwait()
  return registers[0]!
}
