import * as k from '../constants.js'
import { getsockopt, setsockopt } from '../sys/sockets.js'
import { int32, integer, invalidValue } from '../validate.js'

/** The level and name of each. */
const OPTIONS = {
  SO_BROADCAST: [k.SOL_SOCKET, k.SO_BROADCAST],
  SO_BUSY_POLL: [k.SOL_SOCKET, k.SO_BUSY_POLL],
  SO_DOMAIN: [k.SOL_SOCKET, k.SO_DOMAIN],
  SO_INCOMING_CPU: [k.SOL_SOCKET, k.SO_INCOMING_CPU],
  SO_KEEPALIVE: [k.SOL_SOCKET, k.SO_KEEPALIVE],
  SO_LINGER: [k.SOL_SOCKET, k.SO_LINGER],
  SO_MARK: [k.SOL_SOCKET, k.SO_MARK],
  SO_OOBINLINE: [k.SOL_SOCKET, k.SO_OOBINLINE],
  SO_PRIORITY: [k.SOL_SOCKET, k.SO_PRIORITY],
  SO_PROTOCOL: [k.SOL_SOCKET, k.SO_PROTOCOL],
  SO_RCVBUF: [k.SOL_SOCKET, k.SO_RCVBUF],
  SO_RCVLOWAT: [k.SOL_SOCKET, k.SO_RCVLOWAT],
  SO_REUSEADDR: [k.SOL_SOCKET, k.SO_REUSEADDR],
  SO_REUSEPORT: [k.SOL_SOCKET, k.SO_REUSEPORT],
  SO_SNDBUF: [k.SOL_SOCKET, k.SO_SNDBUF],
  SO_TYPE: [k.SOL_SOCKET, k.SO_TYPE],
  IP_MULTICAST_LOOP: [k.IPPROTO_IP, k.IP_MULTICAST_LOOP],
  IP_MULTICAST_TTL: [k.IPPROTO_IP, k.IP_MULTICAST_TTL],
  IP_TOS: [k.IPPROTO_IP, k.IP_TOS],
  IP_TTL: [k.IPPROTO_IP, k.IP_TTL],
  IPV6_MULTICAST_HOPS: [k.IPPROTO_IPV6, k.IPV6_MULTICAST_HOPS],
  IPV6_MULTICAST_LOOP: [k.IPPROTO_IPV6, k.IPV6_MULTICAST_LOOP],
  IPV6_TCLASS: [k.IPPROTO_IPV6, k.IPV6_TCLASS],
  IPV6_UNICAST_HOPS: [k.IPPROTO_IPV6, k.IPV6_UNICAST_HOPS],
  IPV6_V6ONLY: [k.IPPROTO_IPV6, k.IPV6_V6ONLY],
  TCP_CORK: [k.IPPROTO_TCP, k.TCP_CORK],
  TCP_DEFER_ACCEPT: [k.IPPROTO_TCP, k.TCP_DEFER_ACCEPT],
  TCP_FASTOPEN: [k.IPPROTO_TCP, k.TCP_FASTOPEN],
  TCP_KEEPCNT: [k.IPPROTO_TCP, k.TCP_KEEPCNT],
  TCP_KEEPIDLE: [k.IPPROTO_TCP, k.TCP_KEEPIDLE],
  TCP_KEEPINTVL: [k.IPPROTO_TCP, k.TCP_KEEPINTVL],
  TCP_MAXSEG: [k.IPPROTO_TCP, k.TCP_MAXSEG],
  TCP_NODELAY: [k.IPPROTO_TCP, k.TCP_NODELAY],
  TCP_NOTSENT_LOWAT: [k.IPPROTO_TCP, k.TCP_NOTSENT_LOWAT],
  TCP_QUICKACK: [k.IPPROTO_TCP, k.TCP_QUICKACK],
  TCP_SYNCNT: [k.IPPROTO_TCP, k.TCP_SYNCNT],
  TCP_USER_TIMEOUT: [k.IPPROTO_TCP, k.TCP_USER_TIMEOUT],
} as const

/** An option of a socket whose value is a number. Switches are 0 and 1. */
export type SocketOption = keyof typeof OPTIONS

/** `{ l_onoff, l_linger }` */
const linger = new Int32Array(2)

/** An option's value. SO_LINGER: in seconds, -1 if it is off. */
export function getOption(fd: number, option: SocketOption): number {
  const { level, name } = find(option)
  if (option !== 'SO_LINGER') return getsockopt(fd, level, name)
  getsockopt(fd, level, name, linger)
  return linger[0] === 0 ? -1 : linger[1]!
}

/** Sets it. SO_LINGER: in seconds, -1 to switch it off; 0 has `close()` reset the connection. */
export function setOption(fd: number, option: SocketOption, value: number): void {
  const { level, name } = find(option)
  if (option === 'SO_LINGER') {
    linger[1] = integer(value, 'value', -1, 65535)
    linger[0] = value < 0 ? 0 : 1
  }
  setsockopt(fd, level, name, option === 'SO_LINGER' ? linger : int32(value, 'value'))
}

function find(option: SocketOption): { level: number; name: number } {
  if (typeof option !== 'string' || !Object.hasOwn(OPTIONS, option)) {
    throw invalidValue('option', `one of ${Object.keys(OPTIONS).join(', ')}`, option)
  }
  const [level, name] = OPTIONS[option]
  return { level, name }
}
