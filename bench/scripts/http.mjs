// What the HTTP servers have in common, those of twins/http.c and http-python.py as well.
import { Buffer } from 'node:buffer'

export const BODY = 'Hello, world\n'
export const RESPONSE = Buffer.from(
  [
    'HTTP/1.1 200 OK',
    'Content-Type: text/plain',
    `Content-Length: ${BODY.length}`,
    'Connection: keep-alive',
    '',
    BODY,
  ].join('\r\n'),
)

const [CR, LF] = Buffer.from('\r\n')

/** How many request heads end in the first bytes of a buffer. */
export function countHeads(buffer, length) {
  let heads = 0
  // A head ends in four bytes that are all CR or LF: every fourth byte is enough to look at.
  for (let at = 3; at < length; at += 4) {
    const byte = buffer[at]
    if (byte !== CR && byte !== LF) continue
    const end = endOfHead(buffer, at, length)
    if (end === -1) continue
    heads++
    at = end - 1 // the next that can be an end is four bytes on
  }
  return heads
}

/** Where the head ends, one of whose last four bytes is at `at`; or -1. */
function endOfHead(buffer, at, length) {
  for (let end = at; end < at + 4 && end < length; end++) {
    if (
      buffer[end] === LF &&
      buffer[end - 1] === CR &&
      buffer[end - 2] === LF &&
      buffer[end - 3] === CR
    ) {
      return end + 1
    }
  }
  return -1
}
