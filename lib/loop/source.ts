import { AsyncResource } from 'node:async_hooks'
import type { OwnedFd } from '../fd.js'
import type { PidFd, ProcessExit } from '../pidfd.js'
import type { Registration } from '../registration.js'
import type { SignalFd } from '../signalfd.js'
import type { SignalInfo } from '../sys/signals.js'

/** Called with the mask that the kernel reported, unsigned. */
export type WatchHandler = (events: number, source: WatchSource) => void
/** Called with how often the timer has fired since the last call: more than 1 if some were missed. */
export type TimerHandler = (expirations: number, source: Source) => void
export type SignalHandler = (info: SignalInfo, source: Source) => void
/** Called with how the process ended; `null` if it wasn't ours to ask. */
export type ChildHandler = (exit: ProcessExit | null, source: Source) => void
export type DeferHandler = () => void

/** @internal What sources need of their loop. */
export interface Owner {
  /** The handler of a source is about to be called. */
  note(source: Source): void
  /** So many more sources are reason to go on. */
  count(change: number): void
  /** One that is in the queue of timers isn't active any more. */
  noteTimerRemoved(): void
}

/** @internal What an interest list holds for a loop: whoever is to hear of an event. */
export interface Listener {
  dispatch(events: number): void
  /** Its registration has ended, however that came about. */
  end(): void
}

/**
 * Something that a `Loop` calls a handler for. It is an `AsyncResource`: the handler runs in the
 * context, `AsyncLocalStorage` included, in which the source was made.
 */
export abstract class Source extends AsyncResource {
  /** @internal */
  readonly owner: Owner
  /** @internal */
  isActive = true
  /** @internal */
  isReferenced = true

  /** @internal */
  constructor(type: string, owner: Owner) {
    super(type)
    this.owner = owner
    owner.count(1)
  }

  /** Whether its handler can still be called. */
  get active(): boolean {
    return this.isActive
  }

  /**
   * Its handler isn't called any more, not even for an event of the running batch.
   *
   * @returns Whether it was active.
   */
  remove(): boolean {
    const wasActive = this.isActive
    this.end()
    return wasActive
  }

  /** The loop goes on for it: so it is to begin with. */
  ref(): this {
    return this.#setReferenced(true)
  }

  /** The loop doesn't go on for it alone. */
  unref(): this {
    return this.#setReferenced(false)
  }

  #setReferenced(isReferenced: boolean): this {
    if (this.isActive && isReferenced !== this.isReferenced) this.owner.count(isReferenced ? 1 : -1)
    this.isReferenced = isReferenced
    return this
  }

  [Symbol.dispose](): void {
    this.remove()
  }

  /** @internal It has ended, however that came about. */
  end(): void {
    this.discard()
  }

  /** @internal It counts for nothing any more. */
  discard(): void {
    if (!this.isActive) return
    this.isActive = false
    if (this.isReferenced) this.owner.count(-1)
    this.emitDestroy()
  }
}

/** A source with an entry in the interest list. */
abstract class RegisteredSource extends Source implements Listener {
  /** @internal */
  registration!: Registration<Listener>

  abstract dispatch(events: number): void

  override get active(): boolean {
    void this.registration.state // what other threads have done to it shows when it is asked for
    return this.isActive
  }

  override remove(): boolean {
    const wasActive = this.active
    this.registration.remove()
    return wasActive
  }
}

/** A watched descriptor. Made by `Loop.watch`. */
export class WatchSource extends RegisteredSource {
  /** @internal */
  readonly handler: WatchHandler

  /** @internal */
  constructor(owner: Owner, handler: WatchHandler) {
    super('GENPOLL_WATCH', owner)
    this.handler = handler
  }

  /** The descriptor's number. */
  get fd(): number {
    return this.registration.fd
  }

  /**
   * As `Registration.modify`.
   *
   * @throws {StaleRegistrationError} if its descriptor was closed or replaced, or it was removed.
   */
  modify(events: number): void {
    this.registration.modify(events)
  }

  /** As `Registration.verify`. */
  verify(): 'current' | 'replaced' | 'closed' {
    return this.registration.verify()
  }

  /** @internal */
  dispatch(events: number): void {
    this.owner.note(this)
    this.runInAsyncScope(this.handler, undefined, events, this)
  }
}

/** @internal One that has a descriptor of its own. */
abstract class OwningSource<D extends OwnedFd> extends RegisteredSource {
  constructor(
    type: string,
    owner: Owner,
    readonly descriptor: D,
  ) {
    super(type, owner)
  }

  override discard(): void {
    super.discard()
    this.descriptor.close()
  }
}

/** So many signals are heard in a row: the other sources want their turn as well. */
const MOST_IN_A_ROW = 64

/** @internal */
export class SignalSource extends OwningSource<SignalFd> {
  constructor(
    owner: Owner,
    descriptor: SignalFd,
    readonly handler: SignalHandler,
  ) {
    super('GENPOLL_SIGNAL', owner, descriptor)
  }

  dispatch(): void {
    for (let i = 0; i < MOST_IN_A_ROW && this.isActive; i++) {
      const info = this.descriptor.read()
      if (info === null) return
      this.owner.note(this)
      this.runInAsyncScope(this.handler, undefined, info, this)
    }
  }
}

/** @internal */
export class ChildSource extends OwningSource<PidFd> {
  constructor(
    owner: Owner,
    descriptor: PidFd,
    readonly handler: ChildHandler,
  ) {
    super('GENPOLL_CHILD', owner, descriptor)
  }

  dispatch(): void {
    const exit = this.descriptor.info()
    this.remove()
    this.owner.note(this)
    this.runInAsyncScope(this.handler, undefined, exit, this)
  }
}

/** @internal */
export class DeferSource extends Source {
  constructor(
    owner: Owner,
    readonly handler: DeferHandler,
  ) {
    super('GENPOLL_DEFER', owner)
  }

  run(): void {
    if (!this.isActive) return
    this.end()
    this.owner.note(this)
    this.runInAsyncScope(this.handler)
  }
}
