import { execFileSync, spawn } from 'node:child_process'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { EPOLLIN } from '../constants.js'
import { EventFd } from '../eventfd.js'
import { Fd, type OwnedFd } from '../fd.js'
import { PidFd } from '../pidfd.js'
import { SignalFd } from '../signalfd.js'
import { TimerFd } from '../timerfd.js'
import { parse } from './arguments.js'
import { rethrowUnless, Stopped } from './failure.js'
import { Tour } from './tour.js'

/** `genpoll demo` */
export function demo(args: string[]): void {
  parse({ args, options: {} })
  const tour = new Tour()
  try {
    tour.tell(
      'genpoll demo',
      'Real descriptors in one Epoll, and blocking waits on the main thread.',
    )
    eventfd(tour)
    timerfd(tour)
    signalfd(tour)
    pidfd(tour)
    fifo(tour)
    recycled(tour)
    tour.sum()
  } catch (error) {
    rethrowUnless(error instanceof Stopped, error)
  } finally {
    tour.close()
  }
}

function eventfd(tour: Tour): void {
  tour.tell(
    'eventfd',
    'A worker thread adds 3 to a counter in the kernel. This thread sleeps on it.',
  )
  holding(new EventFd(), (bell) => {
    // A number of its own, which the worker closes: this one may be gone when the thread starts.
    const workerData = { fd: bell.dup().release(), count: 3 }
    new Worker(new URL('./ringer.js', import.meta.url), { workerData })
    tour.expect('eventfd', bell, () => `count ${bell.read()}`)
  })
}

function timerfd(tour: Tour): void {
  tour.tell('timerfd', 'A timer in the kernel, 200 ms from now.')
  holding(new TimerFd(), (timer) => {
    timer.set({ delayMs: 200 })
    tour.expect('timerfd', timer, () => `${timer.read()} expiration`)
  })
}

function signalfd(tour: Tour): void {
  tour.tell('signalfd', 'A child process sends SIGUSR2 to its parent, which reads it as data.')
  holding(new SignalFd(['SIGUSR2']), (signals) => {
    const child = shell(tour, 'kill -USR2 "$PPID"')
    tour.expect('signalfd', signals, () => {
      const { name, pid } = signals.read()!
      tour.check(pid === child, `${name} came from pid ${pid}, not from the child`)
      return `${name} from pid ${pid}, the child`
    })
  })
}

function pidfd(tour: Tour): void {
  tour.tell('pidfd', 'A child process ends with status 7.')
  holding(new PidFd(shell(tour, 'exit 7')), (child) => {
    tour.expect('pidfd', child, () => `exit code ${child.info()?.code}`)
  })
}

function fifo(tour: Tour): void {
  tour.tell('FIFO', 'A shell writes to a FIFO by way of cat.')
  const folder = mkdtempSync(join(tmpdir(), 'genpoll-demo-'))
  try {
    const path = join(folder, 'fifo')
    execFileSync('mkfifo', [path])
    holding(Fd.adopt(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)), (reader) => {
      shell(tour, 'echo hello | cat > "$1"', path)
      const buffer = Buffer.alloc(64)
      tour.expect('FIFO', reader, () =>
        JSON.stringify(buffer.toString('utf8', 0, reader.read(buffer)!)),
      )
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * The promise: the handler that runs first closes the other's descriptor and gives its number to a
 * new file, while the event of the old one waits in the same batch.
 */
function recycled(tour: Tour): void {
  tour.tell(
    'recycled descriptor',
    'Two descriptors are ready at once. The first handler to run closes the other descriptor and',
    'opens a file that gets its number, while the event of the old file is on its way.',
  )
  const opened = [new EventFd({ initial: 1 }), new EventFd({ initial: 1 })]
  const [one, other] = opened as [EventFd, EventFd]
  const { stale } = tour.epoll.stats
  const recycle = (victim: EventFd) => (events: number) => {
    const { fd, generation } = victim
    victim.close()
    const successor = openUnder(tour, fd, opened)
    tour.epoll.add(successor, EPOLLIN, recycle(successor))
    const generations = `${generation} → ${successor.generation}`
    tour.note('recycled', fd, generations, events, 'the event of the old file, dropped')
  }
  try {
    tour.epoll.add(one, EPOLLIN, recycle(other))
    tour.epoll.add(other, EPOLLIN, recycle(one))
    const delivered = tour.wait()
    const dropped = tour.epoll.stats.stale - stale
    tour.check(delivered === 1 && dropped === 1, `${delivered} delivered, ${dropped} dropped`)
    tour.show(`stats.stale: ${dropped} more. Nobody got it, the handler of the new file included`)
  } finally {
    for (const descriptor of opened) descriptor.close()
  }
}

/** Opens files until one gets the number: lower ones may be free as well. */
function openUnder(tour: Tour, fd: number, opened: EventFd[]): EventFd {
  let made: EventFd
  do {
    made = new EventFd()
    opened.push(made)
  } while (made.fd < fd)
  tour.check(made.fd === fd, `descriptor ${fd} was taken by another thread`)
  return made
}

/** Runs a shell script as a child; its pid. */
function shell(tour: Tour, script: string, ...args: string[]): number {
  const stdio = ['ignore', 'ignore', 'inherit'] as const
  const child = spawn('sh', ['-c', script, 'sh', ...args], { stdio: [...stdio] })
  // Also reported later on; the pid tells at once.
  child.on('error', () => {})
  tour.check(child.pid !== undefined, 'the demo needs a shell: there is no sh in PATH')
  return child.pid!
}

function holding<D extends OwnedFd>(descriptor: D, use: (descriptor: D) => void): void {
  try {
    use(descriptor)
  } finally {
    descriptor.close()
  }
}
