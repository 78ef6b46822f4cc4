import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type Fd, sameFile } from 'genpoll'
import { Socket } from 'genpoll/net'
import * as sys from 'genpoll/sys'
import { openDescriptors, test } from './fixtures/check.js'
import { pipe, ready } from './fixtures/descriptors.js'
import { Kept, soon } from './fixtures/net.js'

const child = fileURLToPath(new URL('fixtures/children/receives-fds.mjs', import.meta.url))
const buffer = Buffer.alloc(64)

/** A process that has the other end of a unix socket as 3; `answer` is what it prints. */
class Receiver implements AsyncDisposable {
  readonly socket: Socket
  readonly answer: Promise<unknown>
  readonly #exit: Promise<unknown>

  constructor(script: string, order: string) {
    const [ours, theirs] = Socket.pair()
    this.socket = ours
    const command = ['-c', script, process.execPath, child, order]
    const process_ = spawn('sh', command, { stdio: ['ignore', 'pipe', 'inherit', theirs.fd] })
    theirs.close()
    this.answer = text(process_.stdio[1]!).then((printed) => JSON.parse(printed))
    this.#exit = once(process_, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close()
    await this.#exit
  }
}

test('descriptors go to another process and come back', async (t) => {
  using kept = new Kept()
  await using receiver = new Receiver('exec "$0" "$@"', 'exchange')
  const [reading, writing] = kept.both(pipe())
  receiver.socket.sendFds([writing, writing], Buffer.from('hello'))
  t.equal(await receiver.answer, true)
  const { count, fds } = soon(receiver.socket.fd, () => receiver.socket.recvFds(buffer))
  for (const fd of fds) kept.one(fd)
  t.equal(buffer.toString('latin1', 0, count), 'back')
  t.equal(fds.length, 3)
  t.same(
    fds.map(({ fd }) => sameFile(fd, writing.fd)),
    [true, true, false],
  )
  t.equal(reading.read(buffer), 10)
  t.equal(buffer.toString('latin1', 0, 10), 'hellohello')
})

test('a process that can’t have so many: what came is closed, and it says so', async (t) => {
  await using receiver = new Receiver('ulimit -n 64; exec "$0" "$@"', 'overflow')
  receiver.socket.sendFds(new Array(100).fill(receiver.socket))
  receiver.socket.sendFds(new Array(3).fill(receiver.socket))
  t.same(await receiver.answer, {
    refusal: { code: 'EMSGSIZE', errno: -90, syscall: 'recvmsg' },
    leaked: 0,
    after: 3,
  })
})

/** A worker that receives at one end of a pair; ours is the other. */
function worker(churns: boolean): { socket: Socket; worker: Worker } {
  const [ours, theirs] = Socket.pair()
  const workerData = { fd: theirs.release(), churns }
  const url = new URL('fixtures/children/fds-worker.mjs', import.meta.url)
  return { socket: ours, worker: new Worker(url, { execArgv: [], workerData }) }
}

test('a worker that is terminated after it has received leaves nothing open', async (t) => {
  using kept = new Kept()
  const before = openDescriptors().size
  const { socket, worker: thread } = worker(false)
  kept.one(socket)
  const bell = kept.one(ready())
  const [reading, writing] = kept.both(pipe())
  socket.sendFds(new Array(20).fill(writing))
  socket.sendFds([bell])
  t.same([await once(thread, 'message'), await once(thread, 'message')], [[20], [1]])
  await thread.terminate()
  writing.close()
  t.equal(reading.read(buffer), 0)
  for (const fd of [socket, bell, reading] as Fd[]) fd.close()
  t.equal(openDescriptors().size, before)
})

test('nor does one that is terminated in the middle of it', async (t) => {
  using kept = new Kept()
  const [reading, writing] = kept.both(pipe())
  const many = new Array(50).fill(writing)
  for (let round = 0; round < 5; round++) {
    const { socket, worker: thread } = worker(true)
    await once(thread, 'online')
    let received = 0
    thread.on('message', () => received++)
    while (received < 10) {
      while (socket.sendFds(many) !== null);
      await turn()
    }
    await thread.terminate()
    socket.close()
  }
  writing.close()
  // Nobody has the other end any more: what was still on its way is gone with its socket.
  t.equal(
    soon(reading.fd, () => reading.read(buffer)),
    0,
  )
  t.equal(sys.fcntl_getfl(reading.fd) & sys.O_NONBLOCK, sys.O_NONBLOCK)
})
