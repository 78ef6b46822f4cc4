// Signals as data: who sent them, read in order, while the thread sleeps in a wait.

import { spawn } from 'node:child_process'
import { EPOLLIN, Epoll, SignalFd } from 'genpoll'

const epoll = new Epoll()
const signals = new SignalFd(['SIGHUP', 'SIGUSR2', 'SIGINT', 'SIGTERM'])
let isRunning = true

epoll.add(signals, EPOLLIN, () => {
  const { name, pid, uid } = signals.read()
  console.log(`${name} from pid ${pid}, user ${uid}`)
  if (name === 'SIGINT' || name === 'SIGTERM') isRunning = false
})

// Somebody who sends them. By hand: kill -USR2, and Ctrl-C to end.
const script = 'kill -HUP $PPID; sleep 0.1; kill -USR2 $PPID; sleep 0.1; kill -TERM $PPID'
spawn('sh', ['-c', script], { stdio: 'inherit' })

while (isRunning) epoll.wait(-1, ({ data }) => data())

// From here on the signals do what they always did.
signals.close()
epoll.close()
