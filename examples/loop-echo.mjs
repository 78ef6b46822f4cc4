// A service on a pair of FIFOs: what comes in by one goes out by the other, in capitals, until whoever
// writes is done. A shell is its client.

import { execFileSync, spawn } from 'node:child_process'
import { constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { EPOLLIN, Fd, Loop } from 'genpoll'

const folder = mkdtempSync(`${tmpdir()}/genpoll-`)
const [questions, answers] = [`${folder}/questions`, `${folder}/answers`]
execFileSync('mkfifo', [questions, answers])

const loop = new Loop()
const input = Fd.adopt(openSync(questions, constants.O_RDONLY | constants.O_NONBLOCK))
const client = spawn('sh', ['-c', '(echo hello; echo bye) > "$0"; cat "$1"', questions, answers], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
// Blocks until the client reads: opened last.
let output
const buffer = Buffer.alloc(4096)

loop.watch(input, EPOLLIN, (_events, source) => {
  const count = input.read(buffer)
  if (count > 0) {
    output ??= Fd.adopt(openSync(answers, 'w'))
    output.write(Buffer.from(buffer.toString('utf8', 0, count).toUpperCase()))
  } else {
    source.remove()
    output.close()
  }
})
loop.child(client.pid, () => loop.stop())
loop.run()

loop.close()
input.close()
rmSync(folder, { recursive: true })
