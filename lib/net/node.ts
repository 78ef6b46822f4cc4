import { invalidType, invalidValue } from '../validate.js'

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
  // Node shows those of handles nowhere else; a dgram socket's handle is behind a symbol.
  const { fd, _handle, [stateOf(object)]: state } = object as Record<PropertyKey, unknown>
  const handle = _handle ?? (state as { handle?: unknown } | undefined)?.handle
  const found = typeof fd === 'number' ? fd : (handle as { fd?: unknown } | undefined)?.fd
  if (typeof found === 'number' && found >= 0) return found
  if (fd === undefined && handle === undefined && !('_handle' in object) && state === undefined) {
    throw invalidType('object', 'an object of Node with a descriptor', object)
  }
  throw invalidValue('object', 'open: it has no descriptor yet, or none any more', object)
}

function stateOf(object: object): symbol | string {
  const isState = (symbol: symbol) => symbol.description === 'state symbol'
  return Object.getOwnPropertySymbols(object).find(isState) ?? ''
}
