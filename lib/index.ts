/**
 * Raw epoll, eventfd, timerfd, signalfd and pidfd for Node.js, with a promise: an event never reaches
 * the wrong handler.
 *
 * @module genpoll
 */
export * from './constants.js'
export {
  type BusyPollParams,
  Epoll,
  type EpollOptions,
  type EpollStats,
  type Visit,
  type WaitOptions,
} from './epoll.js'
export {
  ClosedError,
  type ErrnoCode,
  ErrnoError,
  isErrno,
  type StaleReason,
  StaleRegistrationError,
  UnsupportedError,
} from './errors.js'
export { EventFd, type EventFdOptions } from './eventfd.js'
export { Fd, OwnedFd } from './fd.js'
export { type FdToken, fdTable } from './fd-table.js'
export { PidFd, type ProcessExit } from './pidfd.js'
export type { Registration, RegistrationState, Target } from './registration.js'
export { SignalFd } from './signalfd.js'
export type { Signal } from './signals.js'
export type { SignalInfo } from './sys/signals.js'
export {
  type Clock,
  TimerFd,
  type TimerFdOptions,
  type TimerFdSetting,
  type TimerFdSettingNs,
} from './timerfd.js'
