// Keeps a program running: each time it ends, it is started again, a little later than the last time,
// until it ends well. On Node's own loop, beside whatever else the program does.

import { spawn } from 'node:child_process'
import { Loop } from 'genpoll'

const FIRST_DELAY_MS = 10
const SCRIPTS = ['exit 1', 'kill -TERM $$', 'exit 0']

const loop = new Loop()
let delayMs = FIRST_DELAY_MS

function launch() {
  const script = SCRIPTS.shift()
  const { pid } = spawn('sh', ['-c', script], { stdio: 'ignore' })
  loop.child(pid, ({ code, signal }) => {
    if (code === 0) return console.log(`${script}: done`)
    console.log(`${script}: ended by ${signal ?? `exit code ${code}`}, again in ${delayMs} ms`)
    loop.after(delayMs, launch)
    delayMs *= 2
  })
}

launch()
// Node ends when nothing is left to wait for.
loop.start()
