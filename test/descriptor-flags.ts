// FD_CLOEXEC and O_NONBLOCK: by number through `sys`, and of an `Fd` whose number another thread takes
// away at the same time.

import { openSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { EPOLLIN, Epoll, FD_CLOEXEC, Fd, O_NONBLOCK } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { errno } from './fixtures/errno.js'
import { Descriptors } from './fixtures/kernel.js'

const O_PATH = 0o10000000

/** Files of all kinds, with both flags clear. */
const FILES: Record<string, (fds: Descriptors) => number> = {
  'an eventfd': (fds) => fds.own(sys.eventfd(0, 0)),
  'a pipe': (fds) => {
    const ends = sys.pipe2(0)
    for (const fd of ends) fds.own(fd)
    return ends[0]
  },
  'a socket': (fds) => {
    const ends = sys.socketpair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
    for (const fd of ends) fds.own(fd)
    return ends[0]
  },
  'an epoll': (fds) => fds.own(sys.epoll_create1(0)),
  'a regular file': (fds) => fds.own(openSync(process.execPath, 'r')),
  'a directory': (fds) => fds.own(openSync('/', 'r')),
}

/** The same, opened for their place in the file system only. */
const PATHS: Record<string, (fds: Descriptors) => number> = {
  'an O_PATH file': (fds) => fds.own(openSync(process.execPath, O_PATH)),
  'an O_PATH directory': (fds) => fds.own(openSync('/', O_PATH)),
  'an O_PATH device': (fds) => fds.own(openSync('/dev/random', O_PATH)),
}

for (const [kind, make] of Object.entries(FILES)) {
  test(`FIOCLEX and FIONCLEX on ${kind}`, (t) => {
    using fds = new Descriptors()
    const fd = make(fds)
    const dup = fds.own(sys.dup(fd))
    for (const on of [true, true, false, false, true]) {
      if (on) sys.ioctl_fioclex(fd)
      else sys.ioctl_fionclex(fd)
      t.equal(sys.fcntl_getfd(fd), on ? FD_CLOEXEC : 0)
      t.equal(sys.fcntl_getfd(dup), 0, 'the flag is the descriptor’s, not the file’s')
    }
  })
}

for (const [kind, make] of Object.entries(FILES)) {
  test(`FIONBIO on ${kind}`, (t) => {
    using fds = new Descriptors()
    const fd = make(fds)
    const dup = fds.own(sys.dup(fd))
    const flags = sys.fcntl_getfl(fd)
    for (const on of [true, true, false, false, true]) {
      sys.ioctl_fionbio(fd, on)
      for (const number of [fd, dup]) {
        t.equal(sys.fcntl_getfl(number), on ? flags | O_NONBLOCK : flags, 'the flag is the file’s')
      }
    }
  })
}

for (const [kind, make] of Object.entries(PATHS)) {
  test(`ioctl on ${kind} is EBADF: its flag is set by fcntl`, (t) => {
    using fds = new Descriptors()
    const fd = make(fds)
    sys.fcntl_setfd(fd, 0)
    const refused = { ...errno('EBADF', 'ioctl'), fd }
    for (const on of [true, false]) {
      t.throws(() => sys.ioctl_fionbio(fd, on), refused)
      t.throws(() => (on ? sys.ioctl_fioclex(fd) : sys.ioctl_fionclex(fd)), refused)
      t.equal(sys.fcntl_getfd(fd), 0)
    }
    sys.fcntl_setfd(fd, FD_CLOEXEC)
    t.equal(sys.fcntl_getfd(fd), FD_CLOEXEC)
  })

  test(`an Fd of ${kind} can be made CLOEXEC, and not non-blocking`, (t) => {
    using fds = new Descriptors()
    using fd = Fd.adopt(sys.dup(make(fds)))
    for (const on of [true, true, false, false]) {
      fd.setCloexec(on)
      t.equal(sys.fcntl_getfd(fd.fd), on ? FD_CLOEXEC : 0)
      t.throws(() => fd.setNonBlocking(on), { ...errno('EBADF', 'ioctl'), fd: fd.fd })
    }
    t.equal(fd.closed, false)
  })
}

/** A thread that takes numbers away, for a stranger. */
class Recycler {
  readonly #words = new Int32Array(new SharedArrayBuffer(16))
  readonly #worker: Worker
  #round = 0

  constructor(stranger: number) {
    this.#worker = new Worker(new URL('./fixtures/children/recycler.mjs', import.meta.url), {
      execArgv: [],
      workerData: { words: this.#words, stranger },
    })
  }

  /** Has it begin to take a number: close it first, or replace it in one step. */
  begin(fd: number, closesFirst: boolean): void {
    this.#words[1] = fd
    this.#words[2] = closesFirst ? 1 : 0
    Atomics.store(this.#words, 0, ++this.#round)
    Atomics.notify(this.#words, 0)
  }

  get isDone(): boolean {
    return Atomics.load(this.#words, 3) === this.#round
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

const ROUNDS = 2000

const SETTERS: Record<string, (fd: Fd, on: boolean) => void> = {
  setCloexec: (fd, on) => fd.setCloexec(on),
  setNonBlocking: (fd, on) => fd.setNonBlocking(on),
}

for (const [name, set] of Object.entries(SETTERS)) {
  for (const isWatched of [false, true]) {
    const where = isWatched ? 'that is in an Epoll' : 'that is in none'
    test(`${name} of an Fd ${where} hits no stranger that takes its number`, async (t) => {
      using fds = new Descriptors()
      const stranger = fds.own(sys.eventfd(0, 0))
      await using recycler = new Recycler(stranger)
      using epoll = new Epoll()
      const codes = new Set<string>()
      let isHit = false
      let sets = 0
      for (let round = 0; round < ROUNDS; round++) {
        const fd = Fd.adopt(sys.eventfd(0, 0))
        const number = fd.fd
        if (isWatched) epoll.add(fd, EPOLLIN, undefined)
        recycler.begin(number, round % 2 === 0)
        try {
          for (;;) {
            set(fd, true)
            sets++
          }
        } catch (error) {
          codes.add((error as { code: string }).code)
        }
        while (!recycler.isDone);
        if (!fd.closed) t.fail('it takes itself for open')
        isHit ||= sys.fcntl_getfd(number) !== 0
        sys.close(number)
      }
      isHit ||= (sys.fcntl_getfl(stranger) & O_NONBLOCK) !== 0
      t.equal(isHit, false, 'the stranger’s flags are clear')
      t.ok(sets > 0)
      for (const code of codes) t.ok(['EBADF', 'ERR_CLOSED'].includes(code), code)
    })
  }
}
