// The results as text.
import { cpus, release } from 'node:os'
import { LIMIT } from './settings.mjs'

/** How many digits a unit is worth. */
const DIGITS = { '': 2, '×': 1, µs: 2, ms: 1, B: 0, 'B an event': 3, 'B a request': 3 }

const ABOUT_SERVERS =
  'Each of the 64 clients asks again as soon as it has its answer, so a latency is mostly the turn of the ' +
  'other 63. What is outside the kernel is known from samples: `-- --full http` takes enough of them.'

export function report({ figures, rebuilds, zombies, servers }) {
  const machine = `${cpus()[0].model}, Linux ${release()}, Node ${process.version}`
  return [
    ...(figures.length > 0 ? [figureTable(figures)] : []),
    ...(servers === undefined ? [] : [serverTable(servers), ABOUT_SERVERS]),
    ...(rebuilds === undefined ? [] : [rebuildTable(rebuilds)]),
    ...(zombies === undefined ? [] : [zombieTable(zombies)]),
    `${machine}, at most ${count(LIMIT)} descriptors; processor time (wake-ups: by the clock), medians of paired turns.`,
  ].join('\n\n')
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function figureTable(figures) {
  const head = ['work', 'beside it', 'genpoll', 'result (quartiles)', 'goal']
  return table(head, figures.map(figureRow))
}

function figureRow({ work, besides, beside, ours, value, quartiles, unit, problem, ...rest }) {
  if (problem !== undefined) return [work, '', '', problem, '']
  const amount = rest.amounts === 'B' ? (bytes) => `${bytes.toFixed(0)} B` : time
  const number = (of) => of.toFixed(DIGITS[unit])
  const suffix = unit && ` ${unit}`
  const spread = quartiles === undefined ? '' : ` (${quartiles.map(number).join(' to ')})`
  return [
    work,
    beside === undefined ? '' : `${besides}: ${amount(beside)}`,
    ours === undefined ? '' : amount(ours),
    `**${number(value)}${suffix}**${spread}`,
    limit(rest, (of) => `${number(of)}${suffix}`),
  ]
}

function limit({ goal, least }, inWords) {
  if (least !== undefined) return `≥ ${inWords(least)}`
  if (goal === undefined) return ''
  return goal === 0 ? '0' : `≤ ${inWords(goal)}`
}

function rebuildTable(rebuilds) {
  return table(
    ['a rebuild of', 'C twin', 'genpoll', 'ratio', 'per registration'],
    rebuilds.map(({ registered, ours, beside, value }) => [
      count(registered),
      time(beside),
      time(ours),
      value.toFixed(2),
      time(ours / registered),
    ]),
  )
}

function zombieTable({ registered, rates }) {
  const first = `new zombies a second, among ${count(registered)}`
  return table(
    [first, 'CPU', 'stale wake-ups a second', 'stale events a second', 'rebuilds a second'],
    rates.map(({ perSecond, seconds, cpu, wakeUps, stale, rebuilds }) => [
      perSecond,
      `${(100 * cpu).toFixed(1)} %`,
      count(Math.round(wakeUps / seconds)),
      count(Math.round(stale / seconds)),
      (rebuilds / seconds).toFixed(1),
    ]),
  )
}

function serverTable(servers) {
  return table(
    [
      'HTTP, 64 connections',
      'CPU a request',
      'of it outside the kernel',
      'beside C',
      'requests a second',
      'latency: median',
      '99 of 100',
      '999 of 1000',
    ],
    servers.map(({ name, total, user, relative, perSecond, latencies }) => [
      name,
      time(total),
      time(user),
      relative.toFixed(2),
      count(Math.round(perSecond)),
      ...[500, 990, 999].map((at) => time(latencies[at])),
    ]),
  )
}

const count = (number) => number.toLocaleString('en')

/** Nanoseconds in words. */
function time(ns) {
  if (ns < 10_000) return `${ns.toFixed(0)} ns`
  return ns < 1e6 ? `${(ns / 1e3).toFixed(1)} µs` : `${(ns / 1e6).toFixed(1)} ms`
}
