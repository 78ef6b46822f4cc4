import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
} from './constants.js'
import { OwnedFd, opened } from './fd.js'
import { timerfd_create, timerfd_gettime, timerfd_read, timerfd_settime } from './sys/timerfd.js'
import {
  boolean,
  invalidType,
  milliseconds,
  nanoseconds,
  object,
  outOfRange,
  withCode,
} from './validate.js'

const CLOCKS = {
  monotonic: CLOCK_MONOTONIC,
  realtime: CLOCK_REALTIME,
  boottime: CLOCK_BOOTTIME,
  'realtime-alarm': CLOCK_REALTIME_ALARM,
  'boottime-alarm': CLOCK_BOOTTIME_ALARM,
} as const

/**
 * `'monotonic'` stands still while the machine sleeps, `'boottime'` doesn't, `'realtime'` is the
 * clock on the wall. The alarm clocks wake the machine, and need CAP_WAKE_ALARM.
 */
export type Clock = keyof typeof CLOCKS

export interface TimerFdOptions {
  /** Default `'monotonic'`. */
  clock?: Clock | undefined
}

/** When a timer fires, in milliseconds. Fractions are rounded up to the nanosecond: never early. */
export interface TimerFdSetting {
  /** From now; 0 fires at once. */
  delayMs?: number | undefined
  /** On the timer's clock: for `'realtime'`, as `Date.now()`. What is past fires at once. */
  atMs?: number | undefined
  /** From then on every so often; the first time too, if neither of the above is given. */
  intervalMs?: number | undefined
  /** With `atMs` on `'realtime'`: when the clock is set, `read` throws ECANCELED. */
  cancelOnSet?: boolean | undefined
}

/** The same in nanoseconds, as the kernel takes it. */
export interface TimerFdSettingNs {
  /** 0n disarms. */
  valueNs: bigint
  /** Default 0n: once. */
  intervalNs?: bigint | undefined
  /** `valueNs` is a time on the timer's clock. */
  absolute?: boolean | undefined
  /** With `absolute` on `'realtime'`: when the clock is set, `read` throws ECANCELED. */
  cancelOnSet?: boolean | undefined
}

/**
 * A timer in the kernel, readable once it has fired. It never fires early.
 *
 * @example
 * const tick = new TimerFd()
 * tick.set({ intervalMs: 16.6 })
 * // when readable:
 * tick.read() // 1, or more if some were missed
 * @see https://man7.org/linux/man-pages/man2/timerfd_create.2.html
 */
export class TimerFd extends OwnedFd {
  readonly #clock: Clock

  /** @throws {ErrnoError} `EMFILE`, `ENFILE`, `ENOMEM`, `EPERM` (the alarm clocks). */
  constructor(options: TimerFdOptions = {}) {
    const { clock = 'monotonic' } = object(options)
    if (typeof clock !== 'string') throw invalidType('options.clock', 'of type string', clock)
    if (!Object.hasOwn(CLOCKS, clock)) {
      throw outOfRange('options.clock', `one of ${Object.keys(CLOCKS).join(', ')}`, clock)
    }
    super(opened(timerfd_create, CLOCKS[clock], TFD_CLOEXEC | TFD_NONBLOCK), true)
    this.#clock = clock
  }

  /**
   * Arms the timer; with neither a time nor an interval, disarms it.
   *
   * @throws {ErrnoError} `ECANCELED` when the clock was set before.
   */
  set(setting: TimerFdSetting): void {
    const { delayMs, atMs, intervalMs = 0, cancelOnSet } = object(setting, 'setting')
    if (delayMs !== undefined && atMs !== undefined) {
      throw invalidType('setting', 'given delayMs or atMs, not both', setting)
    }
    const intervalNs = toNs(milliseconds(intervalMs, 'setting.intervalMs'))
    let valueNs = intervalNs
    if (delayMs !== undefined) valueNs = toNs(milliseconds(delayMs, 'setting.delayMs')) || 1n
    // A value of 0 would disarm the timer; a time in the past is asked to fire at once.
    if (atMs !== undefined) {
      valueNs = toNs(Math.max(0, milliseconds(atMs, 'setting.atMs', -Infinity))) || 1n
    }
    this.#settime(valueNs, intervalNs, atMs !== undefined, cancelOnSet)
  }

  /** As `set`, exact to the nanosecond. */
  setNs(setting: TimerFdSettingNs): void {
    const { valueNs, intervalNs = 0n, absolute, cancelOnSet } = object(setting, 'setting')
    nanoseconds(valueNs, 'setting.valueNs')
    nanoseconds(intervalNs, 'setting.intervalNs')
    this.#settime(valueNs, intervalNs, boolean(absolute, 'setting.absolute', false), cancelOnSet)
  }

  #settime(
    valueNs: bigint,
    intervalNs: bigint,
    absolute: boolean,
    cancelOnSet: boolean | undefined,
  ): void {
    const cancels = boolean(cancelOnSet, 'setting.cancelOnSet', false)
    if (cancels && !(absolute && this.#clock.startsWith('realtime'))) {
      throw withCode(
        new TypeError('"setting.cancelOnSet" needs an absolute time on a realtime clock'),
        'ERR_INVALID_ARG_VALUE',
      )
    }
    const flags = (absolute ? TFD_TIMER_ABSTIME : 0) | (cancels ? TFD_TIMER_CANCEL_ON_SET : 0)
    timerfd_settime(this.fd, flags, valueNs, intervalNs)
  }

  /** How long until it fires (0: not armed), and how often after that, in milliseconds. */
  get(): { remainingMs: number; intervalMs: number } {
    const { valueNs, intervalNs } = timerfd_gettime(this.fd)
    return { remainingMs: Number(valueNs) / 1e6, intervalMs: Number(intervalNs) / 1e6 }
  }

  /**
   * How often it has fired since the last read.
   *
   * @returns 1 or more, or `null` if it hasn't (would block).
   * @throws {ErrnoError} `ECANCELED`: the clock was set (`cancelOnSet`).
   */
  read(): number | null {
    const count = timerfd_read(this.fd)
    return count === null ? null : Number(count)
  }
}

/** Rounded up. Seconds and the rest apart, which keeps times of this century exact. */
function toNs(ms: number): bigint {
  const seconds = Math.floor(ms / 1000)
  return BigInt(seconds) * 1_000_000_000n + BigInt(Math.ceil((ms - seconds * 1000) * 1e6))
}
