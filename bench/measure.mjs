// Two processes, or two cases of one, in turn on the same processor. Only neighbouring turns are
// compared: machines are noisy, and what slows one slows the other.
import { spawn } from 'node:child_process'
import { CPU, here } from './settings.mjs'

/** A process that runs a case for each line on its stdin and answers with a line of JSON. */
export function start(command, args = [], cpu = CPU) {
  const child = spawn('taskset', ['-c', cpu, command, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]()
  let rest = ''
  async function line() {
    while (!rest.includes('\n')) {
      const { value, done } = await answers.next()
      if (done) throw new Error(`${command} ${args.join(' ')} ended in the middle of a case`)
      rest += value
    }
    const end = rest.indexOf('\n')
    const found = rest.slice(0, end)
    rest = rest.slice(end + 1)
    return found
  }
  return {
    pid: child.pid,
    line,
    async run(name, ...numbers) {
      child.stdin.write(`${[name, ...numbers].join(' ')}\n`)
      return JSON.parse(await line())
    },
    stop: () => child.stdin.end(),
    kill: () => child.kill(),
  }
}

export const startNode = (script) =>
  start(process.execPath, ['--expose-gc', here(`scripts/${script}.mjs`)])
export const startTwin = (name) => start(here(`.build/${name}`), [])

/** Runs both in turn. The order alternates, so that a drift of the machine favours neither. */
export async function takeTurns(label, rounds, ours, beside) {
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    progress(`${label}: ${round + 1} of ${rounds}`)
    const isOursFirst = round % 2 === 1
    const first = await (isOursFirst ? ours() : beside())
    const second = await (isOursFirst ? beside() : ours())
    pairs.push(isOursFirst ? { ours: first, beside: second } : { ours: second, beside: first })
  }
  return pairs
}

/** What pairs of nanoseconds come to: ours divided by what is beside it, unless told otherwise. */
export function compare(pairs, by = ({ ours, beside }) => ours / beside) {
  return {
    ...summary(pairs.map(by)),
    ours: median(pairs.map(({ ours }) => ours)),
    beside: median(pairs.map(({ beside }) => beside)),
  }
}

/**
 * The same of what is too little to be told in one turn: of all turns together. The quartiles are
 * those of turns that are drawn from them again and again.
 */
export function compareSums(pairs, drawings = 500) {
  const sum = (some, whose) => some.reduce((total, pair) => total + pair[whose], 0)
  const ratio = (some) => sum(some, 'ours') / sum(some, 'beside')
  const draw = () => pairs.map(() => pairs[Math.floor(Math.random() * pairs.length)])
  const drawn = Array.from({ length: drawings }, () => ratio(draw()))
  return {
    value: ratio(pairs),
    quartiles: summary(drawn).quartiles,
    ours: sum(pairs, 'ours') / pairs.length,
    beside: sum(pairs, 'beside') / pairs.length,
  }
}

export function summary(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = (part) => sorted[Math.floor(part * sorted.length)]
  return { value: at(0.5), quartiles: [at(0.25), at(0.75)] }
}

export const median = (numbers) => summary(numbers).value

let bar = ''

/** So many of the groups are done. */
export function showDone(count, all) {
  bar = `${'█'.repeat(count)}${'░'.repeat(all - count)} `
}

/** What is being measured; nothing at the end. */
export function progress(text) {
  const { isTTY, columns } = process.stderr
  const line = text === '' ? '' : `${bar}${text}`.slice(0, columns - 1)
  if (isTTY) process.stderr.write(`\r\x1b[K${line}`)
}
