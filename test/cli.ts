import { readFileSync } from 'node:fs'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { genpoll } from './fixtures/cli.js'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

test('without a command it explains itself', async (t) => {
  const bare = await genpoll([])
  t.equal(bare.status, 0)
  t.equal(bare.stderr, '')
  t.match(bare.stdout, /genpoll demo .*\n.*genpoll watch/)
  for (const option of ['--help', '-h', 'help']) t.same(await genpoll([option]), bare)
})

test('--version prints the version of the package', async (t) => {
  for (const option of ['--version', '-v']) {
    t.same(await genpoll([option]), { status: 0, stdout: `${version}\n`, stderr: '' })
  }
})

test('watch --help names every option and every field', async (t) => {
  const { stdout, stderr, status } = await genpoll(['watch', '--help'])
  t.equal(status, 0)
  t.equal(stderr, '')
  const options = ['fd', 'timer', 'signal', 'pid', 'fifo', 'stdin', 'count', 'for', 'help']
  for (const option of options) t.match(stdout, new RegExp(`^ +(-h, )?--${option}\\b`, 'm'), option)
  const fields = [
    't',
    'source',
    'fd',
    'generation',
    'events',
    'intervalMs',
    'expirations',
    'signal',
  ]
  fields.push('pid, uid', 'pid', 'exit', 'bytes', 'data', 'eof')
  for (const field of fields) t.match(stdout, new RegExp(`^  ${field} {2,}\\S`, 'm'), field)
  for (const word of ['in out pri rdhup', 'et', 'oneshot', 'lt']) {
    t.match(stdout, new RegExp(`^ {22}${word} {2,}\\S`, 'm'), word)
  }
  t.same(await genpoll(['watch', '--timer', '1s', '-h']), { status, stdout, stderr })
})

test('demo --help', async (t) => {
  const { stdout, status } = await genpoll(['demo', '--help'])
  t.equal(status, 0)
  t.match(stdout, /eventfd.*timerfd/)
})

test('help for a reader that has gone away is no error', async (t) => {
  const [reading, writing] = sys.pipe2(sys.O_CLOEXEC)
  sys.close(reading)
  const outcome = await genpoll(['--help'], { stdio: ['ignore', writing, 'pipe'] })
  sys.close(writing)
  t.same(outcome, { status: 0, stdout: '', stderr: '' })
})

const mistakes: [args: string[], complaint: RegExp][] = [
  [['wach'], /^genpoll: no command wach; .*demo.*watch/],
  [['--timer', '1s'], /^genpoll: no command --timer/],
  [['toString'], /^genpoll: no command toString/],
  [['demo', 'now'], /^genpoll demo: Unexpected argument 'now'/],
  [['watch'], /nothing to watch: give --fd, /],
  [['watch', '--tmier', '1s'], /Unknown option '--tmier'/],
  [['watch', '--fd'], /'--fd <value>' argument missing/],
  [['watch', '--fd=-1'], /--fd -1: not a descriptor number/],
  [['watch', '--fd', '1048576'], /--fd 1048576: not a descriptor number/],
  [['watch', '--fd', '3:in,up'], /--fd 3:in,up: "up" is none of/],
  [['watch', '--fd', '3:in,et,lt'], /--fd 3:in,et,lt: either et or lt/],
  [['watch', '--fd', '1:out'], /--fd 1: the lines go there, so that each would make the next/],
  [['watch', '--timer', '0'], /--timer 0: not a duration above 0/],
  [['watch', '--timer', '99999999999s'], /--timer 99999999999s: not a duration/],
  [['watch', '--stdin', '--for', 'ever'], /--for ever: not a duration/],
  [['watch', '--stdin', '--count', '0'], /--count 0: not a whole number/],
  [['watch', '--pid', 'init'], /--pid init: not a whole number/],
  [['watch', '--signal', 'FOO'], /--signal FOO: no such signal/],
  [['watch', '--signal', 'KILL'], /--signal SIGKILL: .*can’t be blocked/],
]

test('status 2 and one line with a hint for a command line that is at fault', async (t) => {
  const tries = mistakes.map(async ([args, complaint]) => {
    const { status, stdout, stderr } = await genpoll(args)
    t.equal(status, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, complaint)
    t.match(stderr, /^.* \(see genpoll( watch| demo)? --help\)\n$/)
  })
  await Promise.all(tries)
})

test('an error that nobody expects shows where it comes from', async (t) => {
  const sabotage = "data:text/javascript,Math.round = () => { throw new TypeError('sabotage') }"
  const options = `${process.env.NODE_OPTIONS ?? ''} --import "${sabotage}"`
  const env = { ...process.env, NODE_OPTIONS: options }
  const { status, stderr } = await genpoll(['watch', '--timer', '1'], { env })
  t.equal(status, 1)
  t.match(stderr, /TypeError: sabotage\n +at /)
})
