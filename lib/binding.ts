import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Binding } from '../types/binding.js'
import { UnsupportedError } from './errors.js'
import { invalidType, outOfRange } from './validate.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * The addon. A build of this machine goes before a prebuilt binary, and both are tried by their
 * names: node-gyp-build's search of every folder takes longer than the rest of the import, so it is
 * left for the case that neither loads.
 */
function load(): Binding {
  if (process.platform !== 'linux') return unsupported()
  const names = [`prebuilds/linux-${process.arch}/genpoll.glibc.node`]
  if (process.env.PREBUILDS_ONLY === undefined) names.unshift('build/Release/genpoll.node')
  for (const name of names) {
    const module = { exports: {} }
    try {
      process.dlopen(module, root + name)
      return module.exports as Binding
    } catch {
      // Absent, or made for another C library or processor: the search below reports it.
    }
  }
  try {
    return createRequire(import.meta.url)('node-gyp-build')(root)
  } catch (error) {
    throw new Error(
      `genpoll has no native binary for linux-${process.arch} that loads here. ` +
        'Build it with `npm rebuild genpoll`; that needs python3, make and a C++17 compiler ' +
        '(Debian: apt-get install python3 make g++; Alpine: apk add python3 make g++).',
      { cause: error },
    )
  }
}

/** Importing works everywhere; the first call says why nothing else does. */
function unsupported(): Binding {
  const refuse = () => {
    throw new UnsupportedError(`genpoll doesn't support ${process.platform}: it needs Linux`)
  }
  const values: Record<string, unknown> = {
    registers: new Int32Array(16),
    wideRegisters: new BigUint64Array(4),
    address: new Uint8Array(128),
    generations: new Int32Array(0),
    SIGRTMIN: 34,
    SIGRTMAX: 64,
    isMainThread: true,
  }
  return new Proxy(values, {
    get: (target, name: string) => target[name] ?? refuse,
  }) as unknown as Binding
}

export const binding = load()

// The getters themselves, not the properties: a view may carry a `byteLength` of its own, or another
// kind's prototype, and what follows must not believe it.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype)
const typedArrayBytes = getter<number>(typedArray, 'byteLength')
const typedArrayBuffer = getter<ArrayBuffer>(typedArray, 'buffer')
const typedArrayKind = getter<string | undefined>(typedArray, Symbol.toStringTag)
const dataViewBytes = getter<number>(DataView.prototype, 'byteLength')
const dataViewBuffer = getter<ArrayBuffer>(DataView.prototype, 'buffer')

function getter<T>(prototype: object, name: PropertyKey): (this: unknown) => T {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get!
}

/** How many bytes a view has; a `TypeError` if its memory was taken away. */
export function bytesOf(view: NodeJS.ArrayBufferView, name: string): number {
  const isTypedArray = typedArrayKind.call(view) !== undefined
  if (isTypedArray) {
    const bytes = typedArrayBytes.call(view)
    if (bytes > 0) return bytes
  }
  try {
    new Uint8Array((isTypedArray ? typedArrayBuffer : dataViewBuffer).call(view))
    return isTypedArray ? 0 : dataViewBytes.call(view)
  } catch {
    throw invalidType(name, 'a view of memory that is still attached', view)
  }
}

// Asking a typed array for its memory costs more than a short system call, so the last one is
// remembered on both sides. Held here it can't be collected; its length tells when its memory was
// taken away (transferred) or changed (resized).
let pinnedEvents: Uint32Array | undefined
let pinnedEventsBytes = -1
let pinnedBuffer: NodeJS.ArrayBufferView | undefined
let pinnedBufferBytes = -1
let pinnedSource: NodeJS.ArrayBufferView | undefined
let pinnedSourceBytes = -1

/** Makes `out` the place where waits write their events, of three words each. */
export function pinEvents(out: Uint32Array): void {
  if (out !== undefined && out === pinnedEvents && typedArrayBytes.call(out) === pinnedEventsBytes)
    return
  if (typedArrayKind.call(out) !== 'Uint32Array') throw invalidType('out', 'a Uint32Array', out)
  const bytes = bytesOf(out, 'out')
  if (bytes < 12) throw outOfRange('out', 'three words long, or more', out)
  binding.pin_events(out)
  pinnedEvents = out
  pinnedEventsBytes = bytes
}

/** Makes a view of so many bytes the place where reads put theirs. */
export function pinBuffer(view: NodeJS.ArrayBufferView, bytes: number): void {
  if (view === pinnedBuffer && bytes === pinnedBufferBytes) return
  binding.pin_buffer(view)
  pinnedBuffer = view
  pinnedBufferBytes = bytes
}

/** Makes a view of so many bytes the place where writes find theirs. */
export function pinSource(view: NodeJS.ArrayBufferView, bytes: number): void {
  if (view === pinnedSource && bytes === pinnedSourceBytes) return
  binding.pin_source(view)
  pinnedSource = view
  pinnedSourceBytes = bytes
}
