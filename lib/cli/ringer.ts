// The worker thread of the demo: adds to the counter of an eventfd that the main thread waits for.

import { workerData } from 'node:worker_threads'
import { close, eventfd_write } from '../sys/index.js'

const { fd, count }: { fd: number; count: number } = workerData
eventfd_write(fd, count)
close(fd)
