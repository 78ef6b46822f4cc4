import { EPOLLONESHOT } from '../constants.js'
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
      signal?.removeEventListener('abort', abort)
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
    signal?.addEventListener('abort', abort)
    if (timeoutMs !== undefined) timer = loop.owner.schedule(timeoutMs, false, () => settle(0))
  })
}

/**
 * `Loop.iterate` on checked arguments. Armed once for each step, so that what isn't asked for doesn't
 * keep the loop busy.
 */
export async function* iterate(
  loop: Watcher,
  target: Target,
  events: number,
  { signal }: IterateOptions,
): AsyncGenerator<number, void, undefined> {
  const mask = events | EPOLLONESHOT
  let source: PendingSource | undefined
  let resolve!: (events: number) => void
  let reject!: (reason: unknown) => void
  const abort = () => reject(signal!.reason)
  const step = () =>
    new Promise<number>((settle, fail) => {
      resolve = settle
      reject = fail
      signal?.throwIfAborted()
      loop.owner.assertOpen()
      if (source !== undefined) {
        source.modify(mask)
        return
      }
      const made = new PendingSource(
        loop.owner,
        (events) => resolve(events),
        (reason) => reject(reason),
      )
      loop.register(target, mask, made)
      source = made
      signal?.addEventListener('abort', abort)
    })
  try {
    for (;;) yield await step()
  } finally {
    signal?.removeEventListener('abort', abort)
    source?.remove()
  }
}
