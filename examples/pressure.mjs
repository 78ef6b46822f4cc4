// EPOLLPRI, as GPIO lines and sysfs attributes report what happens to them. This file needs no
// hardware: the kernel tells when programs had to wait for a processor for 100 ms out of 2 s
// (https://docs.kernel.org/accounting/psi.html). So that it happens, some do.

import { spawn } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { EPOLLPRI, Fd, Loop } from 'genpoll'

const pressure = Fd.adopt(openSync('/proc/pressure/cpu', constants.O_RDWR | constants.O_NONBLOCK))
// In microseconds, with the end of the string.
pressure.write(Buffer.from('some 100000 2000000\0'))

const busy = Array.from({ length: 2 * availableParallelism() + 1 }, () =>
  spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
)
const loop = new Loop()

loop.watch(pressure, EPOLLPRI, (_events, source) => {
  console.log('too few processors')
  source.remove()
})
loop.run()

for (const process of busy) process.kill('SIGKILL')
loop.close()
pressure.close()
