import { type Address, type AddressLike, checked, knownAddress, setAddress } from '../address.js'
import { binding } from '../binding.js'
import { integer, invalidType, object, outOfRange } from '../validate.js'

/** What stands before the data, for each datagram: see src/message.cc. */
const RECORD = 128
const ADDRESS = 8
const ADDRESS_BYTES = RECORD - ADDRESS
const MOST = 1024

export interface BatchOptions {
  /** How many datagrams it takes, 1 to 1,024. Default 64. */
  capacity?: number | undefined
  /** How many bytes each of them takes, to 65,535; what is longer is truncated. Default 2048. */
  size?: number | undefined
}

/**
 * Room for datagrams that are received or sent in one call, with their addresses. Made once and used
 * again: a batch that was received can be sent as it is, each datagram back to where it came from.
 *
 * @example
 * const batch = new DatagramBatch()
 * loop.watch(socket, EPOLLIN, () => {
 *   while (socket.recvBatch(batch) !== null) {
 *     for (let i = 0; i < batch.length; i++) console.log(batch.message(i), batch.address(i))
 *   }
 * })
 */
export class DatagramBatch {
  readonly capacity: number
  readonly size: number
  /** @internal Records, then data. */
  readonly memory: Buffer
  #length = 0
  readonly #words: Uint32Array
  readonly #halves: Uint16Array

  constructor(options: BatchOptions = {}) {
    const { capacity = 64, size = 2048 } = object(options)
    this.capacity = integer(capacity, 'options.capacity', 1, MOST)
    this.size = integer(size, 'options.size', 1, 65535)
    this.memory = Buffer.alloc(capacity * (RECORD + size))
    this.#words = new Uint32Array(this.memory.buffer, 0, (capacity * RECORD) / 4)
    this.#halves = new Uint16Array(this.memory.buffer, 0, (capacity * RECORD) / 2)
  }

  /** How many datagrams there are in it. 0 makes room for others. */
  get length(): number {
    return this.#length
  }

  set length(length: number) {
    this.#length = integer(length, 'length', 0, this.capacity)
  }

  /** The bytes of a datagram: a view, good until the batch is used again. */
  message(index: number): Buffer {
    const start = this.#startOf(this.#known(index))
    return this.memory.subarray(start, start + this.byteLength(index))
  }

  /** How many bytes a datagram has. */
  byteLength(index: number): number {
    return this.#words[(this.#known(index) * RECORD) / 4]!
  }

  /** Whether it had more bytes than there was room for. */
  isTruncated(index: number): boolean {
    return this.#halves[(this.#known(index) * RECORD + 6) / 2] === 1
  }

  /** Where it came from, or goes to; `null` if the socket’s peer is meant. */
  address(index: number): Address | null {
    const at = this.#known(index) * RECORD
    const length = this.#halves[(at + 4) / 2]!
    if (length === 0) return null
    binding.address.set(this.memory.subarray(at + ADDRESS, at + ADDRESS + length))
    return knownAddress(length)
  }

  /**
   * Puts a datagram behind the others.
   *
   * @param address Where it goes; left out if the socket is connected.
   * @throws {RangeError} if the batch is full, or the datagram longer than its `size`.
   */
  push(data: Uint8Array, address?: AddressLike): this {
    const index = this.length
    if (index === this.capacity) throw outOfRange('length', `< ${this.capacity}: it is full`, index)
    if (!(data instanceof Uint8Array)) throw invalidType('data', 'a Uint8Array or Buffer', data)
    if (data.length > this.size) throw outOfRange('data', `${this.size} bytes long at most`, data)
    const at = index * RECORD
    const length = address === undefined ? 0 : setAddress(checked(address), 'sendmmsg')
    this.memory.set(binding.address.subarray(0, Math.min(length, ADDRESS_BYTES)), at + ADDRESS)
    this.memory.set(data, this.#startOf(index))
    this.#words[at / 4] = data.length
    this.#halves[(at + 4) / 2] = length
    this.#halves[(at + 6) / 2] = 0
    this.length++
    return this
  }

  /** Makes a datagram shorter: to answer with a part of what came. */
  truncate(index: number, length: number): void {
    integer(length, 'length', 0, this.byteLength(index))
    this.#words[(index * RECORD) / 4] = length
  }

  #startOf(index: number): number {
    return this.capacity * RECORD + index * this.size
  }

  #known(index: number): number {
    return integer(index, 'index', 0, this.length - 1)
  }
}
