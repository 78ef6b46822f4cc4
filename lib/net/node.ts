import { invalidType, invalidValue } from '../validate.js'

/** What Node keeps of a descriptor, or of something that has one. */
interface Holder {
  fd?: unknown
  handle?: Holder | null
  _handle?: Holder | null
}

/**
 * The descriptor of one of Node's own objects: a `FileHandle`, a `net.Server` or `net.Socket`, a
 * `dgram.Socket`, a child's stdin, stdout or stderr. It stays Node's, to read and to close; watched as a
 * plain number it is verified by the kernel before its handler runs.
 *
 * @throws {TypeError} if it has none, `ERR_INVALID_ARG_VALUE` if it is closed or not open yet.
 * @example
 * // Take it away from Node, before Node has read anything:
 * const output = Fd.adopt(sys.dup(fdOf(child.stdout)))
 * child.stdout.destroy()
 */
export function fdOf(object: object): number {
  if (typeof object !== 'object' || object === null) {
    throw invalidType('object', 'an object of Node with a descriptor', object)
  }
  const { fd = handleOf(object)?.fd } = object as Holder
  if (typeof fd === 'number' && fd >= 0) return fd
  if (fd === undefined && !('_handle' in object)) {
    throw invalidType('object', 'an object of Node with a descriptor', object)
  }
  throw invalidValue('object', 'open: it has no descriptor yet, or none any more', object)
}

/** Node shows it nowhere else. A dgram socket's is behind a symbol: its `_handle` is deprecated. */
function handleOf(object: Holder): Holder | null | undefined {
  const isState = (symbol: symbol) => symbol.description === 'state symbol'
  const state = Object.getOwnPropertySymbols(object).find(isState)
  return state === undefined ? object._handle : (object as Record<symbol, Holder>)[state]?.handle
}
