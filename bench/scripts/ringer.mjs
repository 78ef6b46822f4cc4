// The worker of wakeups.mjs: answers each ring in the way that it came.
import { parentPort, workerData } from 'node:worker_threads'
import { EPOLL_CTL_ADD, EPOLLIN, Loop } from 'genpoll'
import * as sys from 'genpoll/sys'

const { toMain, toWorker, port, answeredNs } = workerData

function answer() {
  sys.eventfd_read(toWorker)
  answeredNs[0] = process.hrtime.bigint()
  sys.eventfd_write(toMain, 1)
}

const loop = new Loop()
loop.watch(toWorker, EPOLLIN, answer)
loop.start()

port.on('message', () => {
  answeredNs[0] = process.hrtime.bigint()
  port.postMessage(null)
})

// Blocking, as the C twin's second thread does.
const epfd = sys.epoll_create1(0)
const out = new Uint32Array(3)
sys.epoll_ctl(epfd, EPOLL_CTL_ADD, toWorker, EPOLLIN)
parentPort.on('message', (count) => {
  for (let i = 0; i < count; i++) {
    sys.epoll_pwait(epfd, out, -1)
    answer()
  }
})
parentPort.postMessage('listening')
