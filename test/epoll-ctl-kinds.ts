import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, mkdtempSync, openSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'
import { refused } from './fixtures/errno.js'
import { add, Descriptors, read, remove, wait, write } from './fixtures/kernel.js'

const { EPOLLERR, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLPRI } = sys

function child(name: string): string {
  return fileURLToPath(new URL(`fixtures/children/${name}.mjs`, import.meta.url))
}

/** A pseudo-terminal: the path of its slave, and a pipe to its master, which is another process. */
async function openPty(fds: Descriptors) {
  const [reading, master] = sys.pipe2(sys.O_CLOEXEC)
  fds.own(master)
  const relay = spawn(compile('pty'), { stdio: [reading, 'pipe', 'inherit'] })
  const closed = once(relay, 'close')
  sys.close(reading)
  const [path] = await once(relay.stdout!, 'data')
  return {
    master,
    open: () => {
      const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants
      return fds.own(openSync(String(path).trim(), O_RDWR | O_NOCTTY | O_NONBLOCK))
    },
    close: async () => {
      fds.close(master)
      await closed
    },
  }
}

test('C049 two openers of a terminal are two entries', async (t) => {
  using fds = new Descriptors()
  const pty = await openPty(fds)
  const first = pty.open()
  const second = pty.open()
  const epfd = fds.epoll([first, EPOLLIN])
  t.throws(() => add(epfd, first, EPOLLIN), refused('EEXIST'))
  t.throws(() => add(epfd, epfd, EPOLLIN), refused('EINVAL'))
  add(epfd, second, EPOLLOUT | EPOLLPRI)
  remove(epfd, second)
  t.throws(() => add(epfd, first, EPOLLIN), refused('EEXIST'))
  add(epfd, second, EPOLLOUT | EPOLLPRI)
  t.strictSame(wait(epfd), [[EPOLLOUT, second]])
  await pty.close()
})

test('C151 a terminal that is written once more is one more edge', async (t) => {
  using fds = new Descriptors()
  const pty = await openPty(fds)
  const edge = pty.open()
  const quiet = pty.open()
  const epfd = fds.epoll([edge, EPOLLIN | EPOLLET], [quiet, EPOLLPRI])
  for (const line of ['first\n', 'second\n']) {
    write(pty.master, line)
    t.strictSame(wait(epfd, -1), [[EPOLLIN, edge]])
    t.strictSame(wait(epfd, 200), [], 'not read yet')
    t.equal(read(edge), line)
  }
  await pty.close()
})

/** How to run a program that may mount: `undefined` if it isn't allowed. */
function unshare(): string[] | undefined {
  // With root's rights, or as root of a user namespace.
  return [['-m'], ['-r', '-m']].find((flags) => {
    try {
      execFileSync('unshare', [...flags, 'true'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })
}

const namespace = unshare()

test(
  'C063 C064 C065 the table of mounts is urgent after each change, until it is looked at',
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'genpoll-'))
    try {
      const command = [...namespace!, process.execPath, child('mounts'), folder]
      const steps = JSON.parse(execFileSync('unshare', command, { encoding: 'utf8' }))
      t.strictSame(steps, [
        ['added', 0],
        ['mounted', EPOLLPRI | EPOLLERR],
        ['read', 0],
        ['unmounted', EPOLLPRI | EPOLLERR],
        ['read', 0],
      ])
    } finally {
      rmdirSync(folder)
    }
  },
  { skip: namespace === undefined && 'needs a mount namespace (unshare -m)' },
)

test('C072 every kind of descriptor that can be polled can be watched', (t) => {
  const command = [process.execPath, child('add-each')]
  const output = execFileSync(compile('descriptor-kinds'), command, { encoding: 'utf8' })
  const outcome = JSON.parse(output)
  t.comment(Object.keys(outcome).join(' '))
  t.ok(Object.keys(outcome).length >= 15, 'most kinds can be made here')
  for (const [kind, result] of Object.entries(outcome)) t.equal(result, 'added', kind)
})
