import { type ParseArgsConfig, parseArgs } from 'node:util'
import { EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '../constants.js'
import { SLOTS } from '../fd-table.js'
import { type Signal, signalNumber } from '../signals.js'
import { UsageError } from './failure.js'

/** `node:util`'s `parseArgs`, whose complaints become usage errors of one sentence. */
export function parse<const Config extends ParseArgsConfig>(
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config)
  } catch (error) {
    const [sentence] = (error as Error).message.split(/\.\s/)
    throw new UsageError(sentence!)
  }
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000 }
/** 2^31 - 1 seconds, the kernel's longest time. */
const LONGEST_MS = (2 ** 31 - 1) * 1000

/** `'1.5s'` → 1500. */
export function duration(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text)
  const ms = match === null ? Number.NaN : Number(match[1]) * UNITS[match[2] ?? 'ms']!
  if (ms > 0 && ms <= LONGEST_MS) return ms
  throw new UsageError(
    `${option} ${text}: not a duration above 0; write 500ms, 10s, 1.5s, 2m, or milliseconds`,
  )
}

/** A whole number, 1 or more. */
export function positive(text: string, option: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number > 0 && number <= 0x7fffffff) return number
  throw new UsageError(`${option} ${text}: not a whole number from 1 on`)
}

/** `'usr2'`, `'SIGUSR2'` or `'12'` → 12. */
export function signal(text: string): number {
  const upper = text.toUpperCase()
  const name = /^\d+$/.test(text) ? Number(text) : upper.startsWith('SIG') ? upper : `SIG${upper}`
  try {
    return signalNumber(name as Signal, '--signal')
  } catch {
    throw new UsageError(`--signal ${text}: no such signal; write USR2, SIGUSR2 or 12 (kill -l)`)
  }
}

const WORDS: Record<string, number> = {
  in: EPOLLIN,
  out: EPOLLOUT,
  pri: EPOLLPRI,
  rdhup: EPOLLRDHUP,
  et: EPOLLET,
  oneshot: EPOLLONESHOT,
  lt: 0,
}

/** A descriptor number and how to watch it. */
export interface FdArgument {
  fd: number
  /** With EPOLLET unless it is level-triggered. */
  mask: number
}

/** `'3:in,et'` → `{ fd: 3, mask: EPOLLIN | EPOLLET }`. */
export function descriptor(text: string): FdArgument {
  const match = /^(\d+)(?::(.*))?$/.exec(text)
  const fd = match === null ? Number.NaN : Number(match[1])
  if (!(fd < SLOTS)) {
    throw new UsageError(`--fd ${text}: not a descriptor number; write --fd 3 or --fd 3:in,et`)
  }
  const words = (match![2] ?? 'in').split(',')
  let mask = 0
  for (const word of words) {
    if (!Object.hasOwn(WORDS, word)) {
      const known = Object.keys(WORDS).join(', ')
      throw new UsageError(`--fd ${text}: "${word}" is none of ${known}`)
    }
    mask |= WORDS[word]!
  }
  if (!words.includes('lt')) return { fd, mask: mask | EPOLLET }
  if (words.includes('et')) throw new UsageError(`--fd ${text}: either et or lt`)
  return { fd, mask }
}

/** What `genpoll watch` was told. */
export interface WatchArguments {
  descriptors: FdArgument[]
  intervalsMs: number[]
  signals: Set<number>
  pids: number[]
  paths: string[]
  stdin: boolean
  count: number
  forMs: number | undefined
}

export function watchArguments(args: string[]): WatchArguments {
  const many = { type: 'string', multiple: true, default: [] as string[] } as const
  const { values } = parse({
    args,
    options: {
      fd: many,
      timer: many,
      signal: many,
      pid: many,
      fifo: many,
      stdin: { type: 'boolean', default: false },
      count: { type: 'string' },
      for: { type: 'string' },
    },
  })
  const { fd, timer, signal: signals, pid, fifo, stdin } = values
  if (!stdin && [fd, timer, signals, pid, fifo].every(({ length }) => length === 0)) {
    throw new UsageError('nothing to watch: give --fd, --timer, --signal, --pid, --fifo or --stdin')
  }
  return {
    descriptors: fd.map(descriptor),
    intervalsMs: timer.map((text) => duration(text, '--timer')),
    signals: new Set(signals.map(signal)),
    pids: pid.map((text) => positive(text, '--pid')),
    paths: fifo,
    stdin,
    count: values.count === undefined ? Infinity : positive(values.count, '--count'),
    forMs: values.for === undefined ? undefined : duration(values.for, '--for'),
  }
}
