import { binding } from './binding.js'
import { AF_INET, AF_INET6, AF_UNIX } from './constants.js'
import { EAFNOSUPPORT } from './errno.js'
import { fail } from './errors.js'
import { integer, invalidType, invalidValue, object, withCode } from './validate.js'

const { registers } = binding

/** An IPv4 or IPv6 address with its port. */
export interface IpAddress {
  family: 'IPv4' | 'IPv6'
  /** `'127.0.0.1'`, `'::1'`, `'fe80::1%eth0'`: never a name. */
  address: string
  /** 0 to 65535. */
  port: number
}

/** An address of this machine: a file, `'\0name'` (abstract), or `''` for a socket without a name. */
export interface UnixAddress {
  path: string
}

export type Address = IpAddress | UnixAddress

/** An address as it is asked for: the family shows in the text. */
export type AddressLike = { address: string; port: number } | UnixAddress

/** The memory that addresses cross the boundary in. */
const scratch = Buffer.from(binding.address.buffer, binding.address.byteOffset, 128)

function familyOf(host: string, name: string): 'IPv4' | 'IPv6' {
  if (typeof host !== 'string') throw invalidType(name, 'of type string', host)
  const family = process.getBuiltinModule('node:net').isIP(host)
  if (family !== 0) return family === 4 ? 'IPv4' : 'IPv6'
  const hint = 'an address is needed here; node:dns looks names up'
  throw withCode(
    new TypeError(`Invalid IP address in "${name}": ${host} (${hint})`),
    'ERR_INVALID_IP_ADDRESS',
  )
}

/** The address family, as `AF_INET`. */
export function domainOf(address: AddressLike): number {
  if ('path' in address) return AF_UNIX
  return address.address.includes(':') ? AF_INET6 : AF_INET
}

/** An address and a port, checked. */
export function ipAddress(
  host: string,
  port: number,
  hostName: string,
  portName: string,
): IpAddress {
  const family = familyOf(host, hostName)
  return { family, address: host, port: integer(port, portName, 0, 65535) }
}

/** A path or an abstract name, checked. */
export function unixAddress(path: string, name: string): UnixAddress {
  if (typeof path !== 'string') throw invalidType(name, 'of type string', path)
  // The kernel would take what stands before it.
  if (path.indexOf('\0') > 0) throw invalidValue(name, 'free of NULs', path)
  return { path }
}

/** Any of them, checked. */
export function checked(address: AddressLike, name = 'address'): AddressLike {
  if ((object(address, name) as UnixAddress).path !== undefined) {
    return unixAddress((address as UnixAddress).path, `${name}.path`)
  }
  const { address: host, port } = address as IpAddress
  return ipAddress(host, port, `${name}.address`, `${name}.port`)
}

/** Puts a checked address where the native calls look; how many bytes it has there. */
export function setAddress(address: AddressLike, syscall: string): number {
  const domain = domainOf(address)
  const text = 'path' in address ? address.path : address.address
  const size = Buffer.byteLength(text)
  // More than the memory takes is more than the kernel takes.
  if (size <= scratch.length) scratch.write(text)
  const rc = binding.address_parse(domain, 'path' in address ? 0 : address.port, size)
  return rc < 0 ? fail(rc, syscall, { hint: describe(address) }) : rc
}

/** The address that a native call has left, which was so long. */
export function takeAddress(length: number, syscall: string): Address {
  const address = knownAddress(length)
  return address ?? fail(EAFNOSUPPORT, syscall)
}

/** The same; `null` if it is of a family that has no text here. */
export function knownAddress(length: number): Address | null {
  const family = binding.address_format(length)
  if (family === EAFNOSUPPORT) return null
  const size = registers[2]!
  if (family === AF_UNIX) return { path: scratch.toString('utf8', 0, size) }
  const name = family === AF_INET ? 'IPv4' : 'IPv6'
  return { family: name, address: scratch.toString('latin1', 0, size), port: registers[1]! }
}

/** For messages: `127.0.0.1:80`, `[::1]:80`, `/run/a.sock`, `@abstract`. */
export function describe(address: AddressLike): string {
  if ('path' in address) return address.path.replace('\0', '@')
  const { address: host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
