// The results as text.
import { cpus, release } from 'node:os'
import { MANY } from './settings.mjs'

/** How many digits a unit is worth. */
const DIGITS = { '': 2, µs: 2, ms: 1, B: 1 }

export function report({ figures, rebuilds, zombies }) {
  const machine = `${cpus()[0].model}, Linux ${release()}, Node ${process.version}`
  return [
    ...(figures.length > 0 ? [figureTable(figures)] : []),
    ...(rebuilds === undefined ? [] : [rebuildTable(rebuilds)]),
    ...(zombies === undefined ? [] : [zombieTable(zombies)]),
    `${machine}, at most ${MANY.toLocaleString('en')} registrations; processor time, medians of paired turns.`,
  ].join('\n\n')
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function figureTable(figures) {
  return table(['work', 'beside it', 'genpoll', 'result (quartiles)', 'goal'], figures.map(figureRow))
}

function figureRow({ work, besides, beside, ours, value, quartiles, unit, goal }) {
  const number = (of) => `${of.toFixed(DIGITS[unit])}${unit && ` ${unit}`}`
  const spread = quartiles === undefined ? '' : ` (${quartiles.map(number).join(' to ')})`
  return [
    work,
    beside === undefined ? '' : `${besides}: ${time(beside)}`,
    ours === undefined ? '' : time(ours),
    `**${number(value)}**${spread}`,
    `≤ ${number(goal)}`,
  ]
}

function rebuildTable(rebuilds) {
  return table(
    ['a rebuild of', 'C twin', 'genpoll', 'ratio', 'per registration'],
    rebuilds.map(({ count, ours, beside, value }) => [
      count.toLocaleString('en'),
      time(beside),
      time(ours),
      value.toFixed(2),
      time(ours / count),
    ]),
  )
}

function zombieTable(zombies) {
  return table(
    ['new zombies a second', 'CPU', 'waits a second', 'stale events a second', 'rebuilds a second'],
    zombies.map(({ perSecond, seconds, cpu, waits, stale, rebuilds }) => [
      perSecond,
      `${(100 * cpu).toFixed(1)} %`,
      ...[waits, stale].map((count) => Math.round(count / seconds).toLocaleString('en')),
      (rebuilds / seconds).toFixed(1),
    ]),
  )
}

/** Nanoseconds in words. */
function time(ns) {
  if (ns < 10_000) return `${ns.toFixed(0)} ns`
  return ns < 1e6 ? `${(ns / 1e3).toFixed(1)} µs` : `${(ns / 1e6).toFixed(1)} ms`
}
