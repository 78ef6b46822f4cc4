// Children as descriptors: a pidfd is readable when its process has ended.

import { spawn } from 'node:child_process'
import { EPOLLIN, Epoll, PidFd } from 'genpoll'

const epoll = new Epoll()

for (const script of ['exit 7', 'sleep 0.1; kill -KILL $$', 'exec sleep 60']) {
  const process = new PidFd(spawn('sh', ['-c', script]).pid)
  epoll.add(process, EPOLLIN, { process, script })
  // Sent to this very process, never to another one that got its pid.
  if (script.endsWith('60')) process.send('SIGTERM')
}

while (epoll.size > 0) {
  epoll.wait(-1, ({ data: { process, script } }) => {
    const { code, signal } = process.info()
    console.log(`${script}: ${signal ?? `exit code ${code}`}`)
    process.close()
  })
}

epoll.close()
