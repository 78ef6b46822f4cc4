import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, Epoll } from 'genpoll'
import { untilBlocked } from './fixtures/blocked.js'
import { test } from './fixtures/check.js'
import { pipe } from './fixtures/descriptors.js'
import { Descriptors, fill, read, wait, write } from './fixtures/kernel.js'
import { PATIENCE_MS } from './fixtures/poll.js'

const ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET

test('C227 C240 C241 a pipe without a reader is an error for the writer, once at an edge', (t) => {
  using fds = new Descriptors()
  const [early, kept] = fds.pipe()
  const before = fds.epoll([kept, EPOLLOUT | EPOLLET])
  fds.close(early)
  t.same(wait(before), [[EPOLLOUT | EPOLLERR, kept]])
  t.same(wait(before), [])
  const after = fds.epoll([kept, ALL])
  t.same(wait(after), [[EPOLLOUT | EPOLLERR, kept]])
  t.same(wait(after), [])
})

test('C228 what is left in a pipe without a writer is input and the end at once', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  write(writing, 'w')
  fds.close(writing)
  const epfd = fds.epoll([reading, ALL])
  t.same(wait(epfd), [[EPOLLIN | EPOLLHUP, reading]])
  t.same(wait(epfd), [])
})

test('C230 after its last event a source can leave the Epoll', (t) => {
  using epoll = new Epoll()
  const [reading, writing] = pipe()
  const buffer = Buffer.alloc(8)
  epoll.add(reading, EPOLLIN, null)
  writing.write(Buffer.from('ping'))
  writing.close()
  const seen: number[] = []
  epoll.wait(0, (_, events) => {
    seen.push(events, reading.read(buffer)!, reading.read(buffer)!)
    reading.close()
  })
  t.same(seen, [EPOLLIN | EPOLLHUP, 4, 0])
  t.equal(epoll.size, 0)
  t.equal(
    epoll.wait(0, () => {}),
    0,
  )
})

test('C233 the reader sees the data, then the end', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const epfd = fds.epoll([reading, EPOLLIN | EPOLLET])
  write(writing, 'data')
  t.same(wait(epfd), [[EPOLLIN, reading]])
  t.equal(read(reading), 'data')
  fds.close(writing)
  t.same(wait(epfd), [[EPOLLHUP, reading]])
  t.same(wait(epfd), [])
  t.equal(read(reading), '')
})

test('C234 C239 C242 the writer sees room, then the error', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const level = fds.epoll([writing, EPOLLOUT])
  const edge = fds.epoll([writing, EPOLLOUT | EPOLLET])
  t.same(wait(level), [[EPOLLOUT, writing]])
  t.same(wait(edge), [[EPOLLOUT, writing]])
  fds.close(reading)
  t.same(wait(level), [[EPOLLOUT | EPOLLERR, writing]])
  t.same(wait(level), [[EPOLLOUT | EPOLLERR, writing]])
  t.same(wait(edge), [[EPOLLOUT | EPOLLERR, writing]])
  t.same(wait(edge), [])
  fds.close(writing)
  t.same(wait(level), [])
})

test('C238 an error is reported to who asked for nothing else', (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  const asked = fds.epoll([writing, EPOLLERR])
  const silent = fds.epoll([writing, 0])
  t.same(wait(asked), [])
  t.same(wait(silent), [])
  fds.close(reading)
  t.same(wait(asked), [[EPOLLERR, writing]])
  t.same(wait(silent), [[EPOLLERR, writing]])
})

test('C235 a child echoes, and ends when its input does', async (t) => {
  using fds = new Descriptors()
  const [input, toChild] = fds.pipe()
  const [fromChild, output] = fds.pipe()
  const child = spawn('cat', { stdio: [input, output, 'inherit'] })
  const exit = once(child, 'exit')
  fds.close(input)
  fds.close(output)
  const epfd = fds.epoll([toChild, EPOLLOUT | EPOLLET], [fromChild, EPOLLIN])
  t.same(wait(epfd), [[EPOLLOUT, toChild]])
  write(toChild, 'echo')
  let echo = ''
  while (echo.length < 4) {
    const seen = wait(epfd, PATIENCE_MS)
    // Room again, each time that cat has read.
    if (seen.some(([, fd]) => fd === fromChild)) echo += read(fromChild)
  }
  t.equal(echo, 'echo')
  fds.close(toChild)
  t.same(wait(epfd, PATIENCE_MS), [[EPOLLHUP, fromChild]])
  t.equal(read(fromChild), '')
  await exit
})

/** A child that blocks until there is an event on a descriptor of ours. `event` is its mask. */
async function watchInChild(fd: number, events: number) {
  const program = fileURLToPath(new URL('fixtures/children/pipe-waiter.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, String(events)], {
    stdio: ['ignore', 'pipe', 'inherit', fd],
  })
  const closed = once(child, 'close')
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  await untilBlocked('epoll_pwait', Number((await lines.next()).value), 1, child.pid)
  return {
    seen: async () => (await lines.next()).value as string,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await closed
    },
  }
}

test('C236 the end of a pipe wakes a child that waits to read', async (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  await using child = await watchInChild(reading, EPOLLIN)
  fds.close(writing)
  t.equal(await child.seen(), `1 ${EPOLLHUP}`)
})

test('C237 the end of a full pipe wakes a child that waits to write', async (t) => {
  using fds = new Descriptors()
  const [reading, writing] = fds.pipe()
  fill(writing)
  await using child = await watchInChild(writing, EPOLLOUT)
  fds.close(reading)
  t.equal(await child.seen(), `1 ${EPOLLERR}`)
})
