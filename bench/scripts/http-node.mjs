// The same answers by node:http, which reads all of a request and adds a date.
import { createServer } from 'node:http'
import { announce } from './announce.mjs'
import { BODY } from './http.mjs'

const headers = { 'Content-Type': 'text/plain', 'Content-Length': BODY.length }
const server = createServer((_request, response) => response.writeHead(200, headers).end(BODY))
server.keepAliveTimeout = 0 // it may have to wait for its turn
server.listen(0, '127.0.0.1', () => announce(server.address().port))
