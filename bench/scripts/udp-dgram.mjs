// The server of udp-genpoll.mjs on node:dgram, as its documentation has it: a `lookup` of one's own would
// save it about a tenth.
import { createSocket } from 'node:dgram'
import { announce } from './announce.mjs'

const socket = createSocket('udp4')
socket.on('message', (data, { port, address }) => socket.send(data, port, address))
socket.bind(0, '127.0.0.1', () => announce(socket.address().port))
