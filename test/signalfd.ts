import { pbkdf2 } from 'node:crypto'
import { constants } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { EPOLLIN, Epoll, FD_CLOEXEC, O_NONBLOCK, SignalFd } from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { PATIENCE_MS, poll } from './fixtures/poll.js'
import { SignalThread } from './fixtures/signal-thread.js'
import { DEADLY, Sender, send } from './fixtures/signals.js'

const { SIGUSR2 } = constants.signals

test('a signal of another process arrives with its name and its sender', (t) => {
  using signals = new SignalFd(['SIGUSR2', DEADLY])
  t.equal(signals.read(), null)
  const pid = send(SIGUSR2)
  t.equal(poll(signals.fd, EPOLLIN, PATIENCE_MS), EPOLLIN)
  t.match(signals.read(), {
    signo: SIGUSR2,
    name: 'SIGUSR2',
    errno: 0,
    code: 0, // SI_USER
    pid,
    uid: process.getuid?.(),
    value: 0,
  })
  t.equal(signals.read(), null)
})

test('it is CLOEXEC and non-blocking', (t) => {
  using signals = new SignalFd(['SIGUSR2'])
  t.equal(sys.fcntl_getfd(signals.fd), FD_CLOEXEC)
  t.equal(sys.fcntl_getfl(signals.fd) & O_NONBLOCK, O_NONBLOCK)
})

test('sigqueue’s values arrive, in their order', (t) => {
  using signals = new SignalFd([DEADLY])
  const values = [7, -5, 0x7fffffff, -0x80000000]
  const sent = values.map((value) => ({ value, pid: send(DEADLY, { value }) }))
  for (const { value, pid } of sent) {
    t.match(signals.read(), { signo: DEADLY, code: -1, pid, value, int: value }) // SI_QUEUE
  }
  t.equal(signals.read(), null)
})

test('real-time signals are queued, others merge into one', (t) => {
  using signals = new SignalFd([DEADLY, 'SIGUSR2'])
  send(DEADLY, { times: 3 })
  send(SIGUSR2, { times: 3 })
  const seen = [1, 2, 3, 4, 5].map(() => signals.read()?.signo)
  t.same(seen, [SIGUSR2, DEADLY, DEADLY, DEADLY, undefined])
})

test('all of 50 arrive, and none kills, while libuv’s and V8’s threads are busy', async (t) => {
  using signals = new SignalFd([DEADLY])
  await using sender = new Sender(DEADLY)
  const hash = promisify(pbkdf2)
  let isBusy = true
  const pool = [1, 2, 3, 4].map(async () => {
    while (isBusy) await hash('password', 'salt', 2000, 32, 'sha256')
  })
  const pids: (number | undefined)[] = []
  for (let i = 0; i < 50; i++) {
    await sender.send()
    // Enough that V8's own threads have to collect it.
    const garbage = Array.from({ length: 20_000 }, (_, i) => ({ i, text: `${i}` }))
    if (i % 10 === 0) globalThis.gc?.()
    poll(signals.fd, EPOLLIN, PATIENCE_MS)
    pids.push(garbage.length > 0 ? signals.read()?.pid : 0)
    await turn()
  }
  isBusy = false
  await Promise.all(pool)
  t.same(pids, Array(50).fill(sender.pid))
  t.equal(signals.read(), null)
})

test('process.on doesn’t hear what a SignalFd reads', async (t) => {
  const heard: string[] = []
  const listener = (name: string) => heard.push(name)
  process.on('SIGUSR2', listener)
  {
    using signals = new SignalFd(['SIGUSR2'])
    process.kill(process.pid, 'SIGUSR2')
    await turn()
    t.equal(signals.read()?.pid, process.pid)
  }
  await turn()
  t.same(heard, [])
  process.off('SIGUSR2', listener)
})

test('it is watched by an Epoll, and leaves it when it is closed', (t) => {
  using epoll = new Epoll()
  const signals = new SignalFd(['SIGUSR2'])
  epoll.add(signals, EPOLLIN, undefined)
  send(SIGUSR2)
  t.equal(
    epoll.wait(PATIENCE_MS, () => {}),
    1,
  )
  signals.close()
  t.equal(epoll.size, 0)
})

test('of two for one signal, one reads each', (t) => {
  using first = new SignalFd([DEADLY])
  using second = new SignalFd([DEADLY])
  send(DEADLY, { times: 2 })
  t.equal(poll(first.fd), EPOLLIN)
  t.equal(poll(second.fd), EPOLLIN)
  t.equal(first.read()?.signo, DEADLY)
  t.equal(second.read()?.signo, DEADLY)
  t.equal(first.read(), null)
  t.equal(second.read(), null)
})

test('when one of two closes, what is pending stays for the other', (t) => {
  const first = new SignalFd(['SIGUSR2', DEADLY])
  using second = new SignalFd([DEADLY])
  send(DEADLY)
  first.close()
  t.equal(second.read()?.signo, DEADLY)
  const pid = send(DEADLY)
  t.equal(second.read()?.pid, pid)
})

test('two workers have one for the same signal, and one of them reads it', async (t) => {
  await using first = new SignalThread()
  await using second = new SignalThread()
  await Promise.all([first.tell('open', [DEADLY]), second.tell('open', [DEADLY])])
  for (let i = 0; i < 10; i++) {
    const pid = send(DEADLY)
    const reads = await Promise.all([first.tell('read'), second.tell('read')])
    t.same(
      reads.filter((info) => info !== null).map((info) => info.pid),
      [pid],
    )
  }
  await first.tell('close')
  const pid = send(DEADLY)
  t.equal((await second.tell('read'))?.pid, pid)
  await second.tell('close')
})

test('what is unread when it is closed is discarded, and doesn’t kill', (t) => {
  const signals = new SignalFd([DEADLY])
  send(DEADLY, { times: 3 })
  t.equal(poll(signals.fd), EPOLLIN)
  signals.close()
  using later = new SignalFd([DEADLY])
  t.equal(later.read(), null)
})

test('an empty one hears nothing', (t) => {
  using signals = new SignalFd([])
  t.equal(signals.read(), null)
})

test('any iterable of names and numbers, each counted once', (t) => {
  using signals = new SignalFd(new Set(['SIGUSR2', SIGUSR2, 'SIGRTMIN+6'] as const))
  send(SIGUSR2)
  t.equal(signals.read()?.name, 'SIGUSR2')
})

test('what is no list of signals is refused', (t) => {
  const wrongType = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }
  for (const signals of ['SIGUSR2', 12, null, undefined, {}, [null], [{}], [12n]]) {
    t.throws(() => new SignalFd(signals as never), wrongType)
  }
  t.throws(() => new SignalFd(['SIGNOPE' as never]), { code: 'ERR_UNKNOWN_SIGNAL' })
  for (const number of [0, -1, 65, 1.5, Number.NaN]) {
    t.throws(() => new SignalFd([number]), { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
  }
})

test('once closed it can’t be read', (t) => {
  const signals = new SignalFd(['SIGUSR2'])
  signals.close()
  t.throws(() => signals.read(), { name: 'ClosedError', code: 'ERR_CLOSED' })
  signals.close()
})
