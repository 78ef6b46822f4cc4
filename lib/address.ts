import { binding } from './binding.js'
import { AF_INET, AF_INET6, AF_UNIX } from './constants.js'
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
const NAMES = { 4: 'IPv4', 6: 'IPv6' } as const
const NUMBERS = { 4: AF_INET, 6: AF_INET6 } as const

/** 4 or 6. */
export function familyOf(host: string, name: string): 4 | 6 {
  if (typeof host !== 'string') throw invalidType(name, 'of type string', host)
  const family = process.getBuiltinModule('node:net').isIP(host)
  if (family !== 0) return family as 4 | 6
  const hint = 'an address is needed here; node:dns looks names up'
  throw withCode(
    new TypeError(`Invalid IP address in "${name}": ${host} (${hint})`),
    'ERR_INVALID_IP_ADDRESS',
  )
}

/** The address family, as `AF_INET`. */
export function domainOf(address: AddressLike, name = 'address'): number {
  if ('path' in object(address, name)) return AF_UNIX
  return NUMBERS[familyOf((address as IpAddress).address, `${name}.address`)]
}

/** Puts an address where the native calls look; how many bytes it has there. */
export function setAddress(address: AddressLike, syscall: string, name = 'address'): number {
  const family = domainOf(address, name)
  if (family === AF_UNIX) {
    const { path } = address as UnixAddress
    if (typeof path !== 'string') throw invalidType(`${name}.path`, 'of type string', path)
    if (path.includes('\0', 1)) throw invalidValue(`${name}.path`, 'free of NULs', path)
    const size = Buffer.byteLength(path)
    // More than the memory takes is more than the kernel takes.
    if (size <= scratch.length) scratch.write(path)
    return parsed(binding.address_parse(family, 0, size), syscall, address)
  }
  const { address: host, port } = address as IpAddress
  integer(port, `${name}.port`, 0, 65535)
  return parsed(binding.address_parse(family, port, scratch.write(host)), syscall, address)
}

function parsed(rc: number, syscall: string, address: AddressLike): number {
  return rc < 0 ? fail(rc, syscall, { hint: describe(address) }) : rc
}

/** The address that a native call has left, which was so long. */
export function takeAddress(length: number): Address {
  const family = binding.address_format(length)
  const size = registers[2]!
  if (family === AF_UNIX) return { path: scratch.toString('utf8', 0, size) }
  const name = family === AF_INET ? NAMES[4] : NAMES[6]
  return { family: name, address: scratch.toString('latin1', 0, size), port: registers[1]! }
}

/** For messages: `127.0.0.1:80`, `[::1]:80`, `/run/a.sock`, `@abstract`. */
export function describe(address: AddressLike): string {
  if ('path' in address) return address.path.replace('\0', '@')
  const { address: host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
