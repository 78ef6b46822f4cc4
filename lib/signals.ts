import { binding } from './binding.js'
import { invalidType, outOfRange, withCode } from './validate.js'

/**
 * A signal, by name or by number: `'SIGUSR2'`, `12`. Real-time signals are `'SIGRTMIN'`,
 * `'SIGRTMIN+1'` … `'SIGRTMAX'`.
 */
export type Signal = NodeJS.Signals | `SIGRTM${'IN' | 'AX'}${'' | `${'+' | '-'}${number}`}` | number

const LAST = 64
let numbers: Record<string, number> | undefined
let names: Map<number, string> | undefined

/** Asked for when it is first needed: importing node:os takes a tenth of what all of this takes. */
function numbersByName(): Record<string, number> {
  numbers ??= process.getBuiltinModule('node:os').constants.signals
  return numbers
}

/** `'SIGUSR2'` → 12; a number stays as it is. From `min` to 64. */
export function signalNumber(signal: Signal, name: string, min = 1): number {
  if (typeof signal === 'number') {
    if (Number.isInteger(signal) && signal >= min && signal <= LAST) return signal
    throw outOfRange(name, `a signal: >= ${min} && <= ${LAST}`, signal)
  }
  if (typeof signal !== 'string') throw invalidType(name, 'a signal name or number', signal)
  const known = numbersByName()
  const number = Object.hasOwn(known, signal) ? known[signal] : realTime(signal)
  if (number !== undefined) return number
  throw withCode(new TypeError(`Unknown signal in "${name}": ${signal}`), 'ERR_UNKNOWN_SIGNAL')
}

function realTime(signal: string): number | undefined {
  const match = /^SIGRTM(IN|AX)(?:([+-])(\d{1,2}))?$/.exec(signal)
  if (match === null) return undefined
  const base = match[1] === 'IN' ? binding.SIGRTMIN : binding.SIGRTMAX
  const number = base + Number(`${match[2] ?? '+'}${match[3] ?? 0}`)
  return number >= binding.SIGRTMIN && number <= binding.SIGRTMAX ? number : undefined
}

/** 12 → `'SIGUSR2'`, 36 → `'SIGRTMIN+2'`. */
export function signalName(signal: number): string {
  names ??= new Map(
    Object.entries(numbersByName())
      // Older names of the same numbers.
      .filter(([name]) => name !== 'SIGIOT' && name !== 'SIGPOLL' && name !== 'SIGUNUSED')
      .map(([name, number]) => [number, name]),
  )
  if (signal >= binding.SIGRTMIN && signal <= binding.SIGRTMAX) {
    const offset = signal - binding.SIGRTMIN
    return offset === 0 ? 'SIGRTMIN' : `SIGRTMIN+${offset}`
  }
  return names.get(signal) ?? `SIG${signal}`
}

/** Signals as numbers, each once, in the order of the numbers. */
export function signalNumbers(signals: Iterable<Signal>, name: string): number[] {
  // A string is an iterable of letters: a likely slip, and never a mask.
  if (typeof signals !== 'object' || signals === null || !(Symbol.iterator in signals)) {
    throw invalidType(name, 'an iterable of signal names or numbers', signals)
  }
  const seen = new Set<number>()
  for (const signal of signals) seen.add(signalNumber(signal, name))
  return [...seen].sort((a, b) => a - b)
}

/** The kernel's mask: signal n in bit n - 1. */
export function toMask(signals: readonly number[]): bigint {
  return signals.reduce((mask, signal) => mask | (1n << BigInt(signal - 1)), 0n)
}

/** The signals in a mask. */
export function fromMask(mask: bigint): number[] {
  const signals: number[] = []
  for (let signal = 1; signal <= LAST; signal++) {
    if ((mask >> BigInt(signal - 1)) & 1n) signals.push(signal)
  }
  return signals
}
