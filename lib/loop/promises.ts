import { EPOLLET, EPOLLONESHOT } from '../constants.js'
import { ClosedError, StaleRegistrationError } from '../errors.js'
import { REASONS, type Target } from '../registration.js'
import type { Runner } from './runner.js'
import { type Owner, type Source, WatchSource } from './source.js'

export interface ReadyOptions extends IterateOptions {
  /** Resolves with 0 after so many milliseconds, fractions allowed. Default: never. */
  timeoutMs?: number | undefined
}

export interface IterateOptions {
  /** Rejects with its reason when it is aborted. */
  signal?: AbortSignal | undefined
}

/** @internal What promises need of their loop. */
export interface Watcher {
  readonly owner: Runner
  register(target: Target, events: number, source: PendingSource): void
}

/** @internal A source that tells when it ends, and why. */
export class PendingSource extends WatchSource {
  constructor(
    owner: Owner,
    settle: (events: number) => void,
    readonly fail: (reason: Error) => void,
  ) {
    super(owner, settle)
  }

  override end(): void {
    super.end()
    const { fd, generation, status, list } = this.registration
    const details = { fd, generation }
    const isClosed = list.handle.closed || list.isClosing
    this.fail(
      isClosed ? new ClosedError('Loop') : new StaleRegistrationError(REASONS[status]!, details),
    )
  }
}

/** Whom an abort concerns: Node warns of more than ten listeners of one signal. */
const concerned = new WeakMap<AbortSignal, Set<() => void>>()

function listen(signal: AbortSignal | undefined, abort: () => void): void {
  if (signal === undefined) return
  const those = concerned.get(signal) ?? new Set()
  if (those.size === 0) signal.addEventListener('abort', abortAll)
  concerned.set(signal, those.add(abort))
}

function forget(signal: AbortSignal | undefined, abort: () => void): void {
  const those = signal && concerned.get(signal)
  if (those?.delete(abort) && those.size === 0) signal!.removeEventListener('abort', abortAll)
}

function abortAll(this: AbortSignal): void {
  for (const abort of [...concerned.get(this)!]) abort()
}

/** `Loop.ready` on checked arguments. */
export function ready(
  loop: Watcher,
  target: Target,
  events: number,
  { signal, timeoutMs }: ReadyOptions,
): Promise<number> {
  return new Promise((resolve, reject) => {
    // Taken out at once, not when the promise's own handlers run: until then it would report on.
    const cleanUp = () => {
      forget(signal, abort)
      timer?.remove()
      source.remove()
    }
    const settle = (result: number) => {
      resolve(result)
      cleanUp()
    }
    const fail = (reason: unknown) => {
      reject(reason)
      cleanUp()
    }
    const abort = () => fail(signal!.reason)
    let timer: Source | undefined
    const source = new PendingSource(loop.owner, settle, fail)
    loop.register(target, events, source)
    listen(signal, abort)
    if (timeoutMs !== undefined) timer = loop.owner.schedule(timeoutMs, false, () => settle(0))
  })
}

/**
 * `Loop.iterate` on checked arguments. What is level-triggered is armed anew for each step, so that it
 * doesn't keep the loop busy while it isn't asked for; edges are gathered.
 */
export function iterate(
  loop: Watcher,
  target: Target,
  events: number,
  { signal }: IterateOptions,
): AsyncGenerator<number, void, undefined> {
  const isEdge = (events & EPOLLET) !== 0
  const mask = isEdge ? events : events | EPOLLONESHOT
  let source: PendingSource | undefined
  let waiting:
    | { resolve(events: number | undefined): void; reject(reason: unknown): void }
    | undefined
  let gathered = 0
  let failure: { readonly reason: unknown } | undefined

  const settle = (events: number) => {
    gathered = (gathered | events) >>> 0
    if (waiting === undefined) return
    waiting.resolve(gathered)
    gathered = 0
    waiting = undefined
  }
  const fail = (reason: unknown) => {
    failure ??= { reason }
    waiting?.reject(reason)
  }
  const abort = () => fail(signal!.reason)
  const step = () =>
    new Promise<number | undefined>((resolve, reject) => {
      waiting = { resolve, reject }
      if (failure !== undefined) throw failure.reason
      if (gathered !== 0) settle(0)
      else if (source !== undefined) isEdge || source.modify(mask)
      else source = begin()
    })
  const begin = () => {
    signal?.throwIfAborted()
    const made = new PendingSource(loop.owner, settle, fail)
    loop.register(target, mask, made)
    listen(signal, abort)
    return made
  }
  async function* generate() {
    try {
      for (let events = await step(); events !== undefined; events = await step()) yield events
    } finally {
      forget(signal, abort)
      source?.remove()
    }
  }

  const generator = generate()
  // A generator's own waits for the step that is pending, and that may be for ever.
  for (const way of ['return', 'throw'] as const) {
    const finish = generator[way].bind(generator)
    generator[way] = (value: undefined) => {
      waiting?.resolve(undefined)
      return finish(value)
    }
  }
  return generator
}
