import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import {
  EPOLL_CTL_ADD,
  EPOLLIN,
  KCMP_EPOLL_TFD,
  KCMP_FILE,
  KCMP_FILES,
  KCMP_FS,
  KCMP_IO,
  KCMP_SIGHAND,
  KCMP_SYSVSEM,
  KCMP_VM,
  O_CLOEXEC,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { compile } from './fixtures/compile.js'

const self = process.pid
const KCMP_TYPES = 8

/** Runs `body` with two pipes and a child that has the first one's reading end as 3 and as 4. */
async function withHeir(body: (child: ChildProcess, ours: number, other: number) => void) {
  const [reading, writing] = sys.pipe2(O_CLOEXEC)
  const [other, otherWriting] = sys.pipe2(O_CLOEXEC)
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', reading, reading] })
  try {
    await once(child, 'spawn')
    body(child, reading, other)
  } finally {
    child.kill()
    await once(child, 'close')
    for (const fd of [reading, writing, other, otherWriting]) sys.close(fd)
  }
}

test('C386 a process that does not exist', (t) => {
  const nobody = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')) + 1
  t.throws(() => sys.kcmp(self, nobody, KCMP_FILE, 0, 0), { code: 'ESRCH', syscall: 'kcmp' })
})

test('C387 C389 types that do not exist', (t) => {
  for (const type of [KCMP_TYPES + 1, -1, -0x80000000, 0x7fffffff]) {
    t.throws(() => sys.kcmp(self, self, type, 0, 0), { code: 'EINVAL' })
  }
})

test('C388 a descriptor that is not open', (t) => {
  t.throws(() => sys.kcmp(self, self, KCMP_FILE, -1, 0), { code: 'EBADF' })
})

test('C390 a descriptor is the same as itself', (t) => {
  t.equal(sys.kcmp(self, self, KCMP_FILE, 0, 0), 0)
})

test('C391 a descriptor and its dup are the same file', (t) => {
  const [reading, writing] = sys.pipe2(O_CLOEXEC)
  const dup = sys.dup(reading)
  t.equal(sys.kcmp(self, self, KCMP_FILE, reading, dup), 0)
  t.not(sys.kcmp(self, self, KCMP_FILE, reading, writing), 0)
  for (const fd of [reading, writing, dup]) sys.close(fd)
})

test('C392 C394 what a child inherited is the same file', async (t) => {
  await withHeir((child, ours) => {
    t.equal(sys.kcmp(self, child.pid!, KCMP_FILE, ours, 3), 0)
    t.equal(sys.kcmp(self, child.pid!, KCMP_FILE, ours, 4), 0)
  })
})

test('C393 what a child inherited is not some other file', async (t) => {
  await withHeir((child, _ours, other) => {
    t.not(sys.kcmp(self, child.pid!, KCMP_FILE, other, 3), 0)
  })
})

test('C395 a process that was cloned to share everything shares it', async (t) => {
  const parent = spawn(compile('clone-sharing'), { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const [output] = await once(parent.stdout, 'data')
    const [pid, clone] = String(output).split(' ').map(Number) as [number, number]
    for (const type of [KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM]) {
      t.equal(sys.kcmp(pid, clone, type, 0, 0), 0)
    }
    t.equal(sys.kcmp(pid, clone, KCMP_FILE, 0, 0), 0)
    t.not(sys.kcmp(self, clone, KCMP_VM, 0, 0), 0)
  } finally {
    parent.stdin.end()
    await once(parent, 'close')
  }
})

test('C396 a process shares its memory and descriptors with itself, not with a child', async (t) => {
  t.equal(sys.kcmp(self, self, KCMP_VM, 0, 0), 0)
  await withHeir((child) => {
    t.not(sys.kcmp(self, child.pid!, KCMP_FILES, 0, 0), 0)
  })
})

test('an entry of an epoll is compared by number and place', (t) => {
  const epfd = sys.epoll_create1(O_CLOEXEC)
  const [reading, writing] = sys.pipe2(O_CLOEXEC)
  sys.epoll_ctl(epfd, EPOLL_CTL_ADD, reading, EPOLLIN)
  const slot = { efd: epfd, tfd: reading, toff: 0 }
  t.equal(sys.kcmp(self, self, KCMP_EPOLL_TFD, reading, slot), 0)
  t.not(sys.kcmp(self, self, KCMP_EPOLL_TFD, writing, slot), 0)
  t.throws(() => sys.kcmp(self, self, KCMP_EPOLL_TFD, reading, { ...slot, toff: 1 }), {
    code: 'ENOENT',
  })
  for (const fd of [epfd, reading, writing]) sys.close(fd)
})
