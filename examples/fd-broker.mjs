// A broker between two processes: one gives it a file that is deleted already; the other, which could not
// open it any more, takes the descriptor and reads. Whoever comes first waits.

import { spawn } from 'node:child_process'
import { openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { EPOLLIN, Fd, Loop } from 'genpoll'
import { Listener, Socket, serve } from 'genpoll/net'

const [role, name = `genpoll-broker-${process.pid}`] = process.argv.slice(2)
const buffer = Buffer.alloc(4096)
const loop = new Loop()
const socket = role && Socket.connect({ path: `\0${name}` })

if (role === 'give') {
  const path = `${tmpdir()}/genpoll-letter-${process.pid}`
  writeFileSync(path, `a letter from process ${process.pid}`)
  const letter = Fd.adopt(openSync(path))
  rmSync(path)
  socket.sendFds([letter])
  for (const each of [letter, socket]) each.close()
} else if (role === 'take') {
  socket.write(Buffer.from('please'))
  loop.watch(socket, EPOLLIN, () => {
    const [letter] = socket.recvFds(buffer).fds
    console.log(`process ${process.pid} reads ${buffer.latin1Slice(0, letter.read(buffer))}`)
    for (const each of [letter, socket]) each.close()
  })
} else {
  const [letters, takers] = [[], []]
  serve(loop, Listener.unix(`\0${name}`), (socket) => {
    loop.watch(socket, EPOLLIN, () => {
      const { count, fds } = socket.recvFds(buffer)
      if (count === 0) return socket.close()
      if (fds.length === 0) takers.push(socket)
      letters.push(...fds)
      if (letters.length === 0 || takers.length === 0) return
      takers.pop().sendFds(letters)
      for (const letter of letters.splice(0)) letter.close()
    })
  })
  const [, taker] = ['give', 'take'].map((each) =>
    spawn(process.execPath, [import.meta.filename, each, name], { stdio: 'inherit' }),
  )
  loop.child(taker.pid, () => loop.stop())
}
loop.run()
