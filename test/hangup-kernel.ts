import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { EPOLLERR, EPOLLHUP } from 'genpoll'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'

const children = new URL('./fixtures/children/', import.meta.url)

/** Runs a script by another program; what it printed. */
function run(program: string, args: string[], script: string) {
  const path = fileURLToPath(new URL(script, children))
  const { stdout, stderr, status } = spawnSync(program, [...args, process.execPath, path], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${script} ended with ${status}: ${stderr}`)
  return JSON.parse(stdout)
}

const mayUnshare = spawnSync('unshare', ['--uts', 'true']).status === 0

test(
  'C231 a change of the host name is told to each who has it open, once',
  (t) => {
    const { steps, name } = run('unshare', ['--uts'], 'hostname.mjs')
    const told = [
      [EPOLLERR, 0],
      [EPOLLERR, 1],
    ]
    t.equal(name, 'genpoll-test')
    t.same(steps, [[], told, []])
  },
  { skip: !mayUnshare && 'needs unshare(1) and the right to make a UTS namespace' },
)

test('C232 a seccomp supervisor hears of the end of the last process under its filter', (t) => {
  t.same(run(compile('notifier'), [], 'notifier.mjs'), [0, EPOLLHUP])
})
