import { binding } from '../binding.js'
import { EAGAIN } from '../errno.js'
import { fail } from '../errors.js'

// The 64-bit word that an eventfd or a timerfd is read and written by. It stays in wide register 0.

const { registers } = binding
const native = { read: binding.read_u64, write: binding.write_u64 }

/** Reads the word; `false` if it would block. */
export function readWord(fd: number): boolean {
  registers[0] = fd
  native.read()
  return isDone(registers[0]!, 'read', fd)
}

/** Writes the word; `false` if it would block. */
export function writeWord(fd: number): boolean {
  registers[0] = fd
  native.write()
  return isDone(registers[0]!, 'write', fd)
}

function isDone(rc: number, syscall: string, fd: number): boolean {
  if (rc >= 0) return true
  if (rc === EAGAIN) return false
  return fail(rc, syscall, { fd })
}
