// What is lost to the garbage collector unclosed is closed then, with a warning. In child processes:
// the collector of this one has others' business too.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'

const child = fileURLToPath(new URL('fixtures/children/collect.mjs', import.meta.url))

function collect(env: Record<string, string>) {
  const output = execFileSync(process.execPath, ['--expose-gc', '--no-warnings', child], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return JSON.parse(output) as {
    lost: Record<string, number>
    warnings: { name: string; code: string; message: string; detail: string }[]
    stillOpen: number[]
    keptOpen: boolean
    watchedIsOpen: boolean
    delivered: number
  }
}

test('a lost descriptor is closed, with a warning that names it', (t) => {
  const { lost, warnings, stillOpen, keptOpen } = collect({})
  t.strictSame(stillOpen, [])
  t.equal(warnings.length, 3)
  for (const [kind, fd] of Object.entries(lost)) {
    const warning = warnings.find(({ message }) => message.startsWith(`${kind} (fd ${fd})`))
    t.match(warning, { name: 'GenpollWarning', code: 'GENPOLL_LEAK' }, kind)
    t.match(warning?.detail, 'GENPOLL_TRACE_LEAKS=1')
  }
  t.equal(keptOpen, true, 'what was released or never owned is left alone')
})

test('with GENPOLL_TRACE_LEAKS=1 the warning shows where it was made', (t) => {
  const { warnings } = collect({ GENPOLL_TRACE_LEAKS: '1' })
  t.equal(warnings.length, 3)
  for (const { detail } of warnings) t.match(detail, /at loseSome .*collect\.mjs:\d+/)
})

test('what an Epoll watches is not lost', (t) => {
  const { watchedIsOpen, delivered } = collect({})
  t.equal(watchedIsOpen, true)
  t.equal(delivered, 1)
})
