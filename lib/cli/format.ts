import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '../constants.js'

const NAMES: readonly (readonly [bit: number, name: string])[] = [
  [EPOLLIN, 'in'],
  [EPOLLOUT, 'out'],
  [EPOLLPRI, 'pri'],
  [EPOLLRDHUP, 'rdhup'],
  [EPOLLERR, 'err'],
  [EPOLLHUP, 'hup'],
]

/** `EPOLLIN | EPOLLHUP` → `['in', 'hup']`. */
export function eventNames(events: number): string[] {
  return NAMES.filter(([bit]) => (events & bit) !== 0).map(([, name]) => name)
}

/** A duration or a time to the microsecond. */
export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

/** Rows of equal keys as lines under their keys, in columns. */
export function table(rows: readonly Record<string, string>[]): string[] {
  const keys = Object.keys(rows[0]!)
  const lines = [keys, ...rows.map((row) => keys.map((key) => row[key]!))]
  const widths = keys.map((_, i) => Math.max(...lines.map((cells) => cells[i]!.length)))
  return lines.map((cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  )
}
