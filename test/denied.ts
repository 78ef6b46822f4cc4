import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'

const { EMFILE, ENOSYS, EPERM } = constants.errno
const SYS_pidfd_open = 434
const SYS_signalfd4 = process.arch === 'x64' ? 289 : 74
const script = fileURLToPath(new URL('./fixtures/children/denied.mjs', import.meta.url))

/** Makes a descriptor where a seccomp filter denies a system call. */
function makeWithout(kind: string, syscall: number, answer: number | 'kill'): object {
  const args = [syscall, answer, process.execPath, script, kind].map(String)
  const { stdout, stderr, status, signal } = spawnSync(compile('deny'), args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`it ended with ${status ?? signal}: ${stderr}`)
  return JSON.parse(stdout)
}

for (const [what, answer] of [
  ['is answered with ENOSYS', ENOSYS],
  ['is answered with EPERM', EPERM],
  ['kills the process', 'kill'],
] as const) {
  test(`a PidFd is unsupported where pidfd_open ${what}`, (t) => {
    const result = makeWithout('PidFd', SYS_pidfd_open, answer)
    t.same(result, { code: 'ERR_UNSUPPORTED', isAsBefore: true })
  })
}

test('a SignalFd that can’t be made leaves the masks as they were', (t) => {
  const result = makeWithout('SignalFd', SYS_signalfd4, EMFILE)
  t.same(result, { code: 'EMFILE', isAsBefore: true })
})
