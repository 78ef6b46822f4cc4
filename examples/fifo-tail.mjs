// tail -f of a FIFO, until its writers are gone: node examples/fifo-tail.mjs [PATH]. Without a path
// it makes one, and has a shell write to it.

import { execFileSync, spawn } from 'node:child_process'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { EPOLLIN, Epoll, Fd } from 'genpoll'

const folder = process.argv[2] ? undefined : mkdtempSync(`${tmpdir()}/genpoll-`)
const path = process.argv[2] ?? `${folder}/fifo`
if (folder) execFileSync('mkfifo', [path])

const fifo = Fd.adopt(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK))
if (folder) spawn('sh', ['-c', 'for i in 1 2 3; do echo line $i; sleep 0.1; done > "$0"', path])

const epoll = new Epoll()
const buffer = Buffer.alloc(65536)
let isOpen = true

epoll.add(fifo, EPOLLIN, () => {
  const count = fifo.read(buffer)
  if (count > 0) process.stdout.write(buffer.subarray(0, count))
  else isOpen = false
})

while (isOpen) epoll.wait(-1, ({ data }) => data())

fifo.close()
epoll.close()
if (folder) rmSync(folder, { recursive: true })
