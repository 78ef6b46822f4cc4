import { eventNames as constantNames } from '../events.js'

/** `EPOLLIN | EPOLLHUP` → `['in', 'hup']`. */
export function eventNames(events: number): string[] {
  return constantNames(events).map((name) => name.slice('EPOLL'.length).toLowerCase())
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
