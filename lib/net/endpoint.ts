import { type AddressLike, domainOf } from '../address.js'
import { SO_ACCEPTCONN, SO_TYPE, SOCK_CLOEXEC, SOCK_NONBLOCK, SOL_SOCKET } from '../constants.js'
import { EINVAL, EPROTOTYPE } from '../errno.js'
import { fail } from '../errors.js'
import { opened } from '../fd.js'
import { close } from '../sys/descriptors.js'
import * as sys from '../sys/sockets.js'

/** Makes a socket of a type for an address; one that can't be prepared is closed. */
export function openFor(address: AddressLike, type: number, prepare: (fd: number) => void): number {
  const fd = opened(sys.socket, domainOf(address), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
  try {
    prepare(fd)
  } catch (error) {
    close(fd)
    throw error
  }
  return fd
}

/** A number that is to be adopted as a socket of one of these types, which listens or doesn't. */
export function assertKind(fd: number, listens: boolean, ...types: number[]): number {
  const type = sys.getsockopt(fd, SOL_SOCKET, SO_TYPE)
  if (!types.includes(type)) fail(EPROTOTYPE, 'adopt', { fd, hint: `its SO_TYPE is ${type}` })
  if ((sys.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN) === 1) !== listens) {
    fail(EINVAL, 'adopt', { fd, hint: listens ? 'it doesn’t listen' : 'it listens' })
  }
  return fd
}
