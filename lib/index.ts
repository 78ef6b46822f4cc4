/**
 * Raw epoll, eventfd, timerfd, signalfd and pidfd for Node.js, with a promise: an event never reaches
 * the wrong handler.
 *
 * @module genpoll
 */
export type { AuditEntry, AuditReport, AuditStatus } from './audit.js'
export * from './constants.js'
export type { Visit } from './delivery.js'
export { Epoll } from './epoll.js'
export type {
  AddOptions,
  AdoptOptions,
  AuditOptions,
  BusyPollParams,
  EpollOptions,
  EpollStats,
  WaitOptions,
} from './epoll-options.js'
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
export type { Verify } from './interest-list.js'
export { Loop, type LoopOptions } from './loop/loop.js'
export type { IterateOptions, ReadyOptions } from './loop/promises.js'
export type {
  ChildHandler,
  DeferHandler,
  SignalHandler,
  Source,
  TimerHandler,
  WatchHandler,
  WatchSource,
} from './loop/source.js'
export { type Waker, wake } from './loop/wake.js'
export { PidFd, type ProcessExit } from './pidfd.js'
export type { Registration, RegistrationState, Target } from './registration.js'
export { sameFile } from './same-file.js'
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
export type { RebuildReport, StaleReport } from './zombies.js'
