import { UnsupportedError } from './errors.js'

/** An entry of an interest list as the kernel shows it. */
export interface KernelEntry {
  /** The number that was registered. */
  readonly fd: number
  /** The mask, unsigned; that of a disarmed one-shot has no events. */
  readonly events: number
  /** The two words of `epoll_data`, signed. */
  readonly dataLow: number
  readonly dataHigh: number
}

/**
 * All entries of one of our epolls, in one pass, as text.
 *
 * @throws {UnsupportedError} without /proc.
 */
export function readFdinfo(epfd: number): string {
  const path = `/proc/self/fdinfo/${epfd}`
  try {
    // As UTF-8 it is read within one native call: a worker that is terminated leaves nothing open.
    return process.getBuiltinModule('node:fs').readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UnsupportedError(`What an epoll holds is read from ${path}, which needs /proc`, {
      cause,
    })
  }
}

/**
 * The interest list of an epoll.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html
 */
export function kernelEntries(epfd: number): KernelEntry[] {
  const lines = readFdinfo(epfd).matchAll(
    /^tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)/gm,
  )
  return Array.from(lines, ([, fd, events, data]) => ({
    fd: Number(fd),
    events: Number.parseInt(events!, 16),
    dataLow: Number.parseInt(data!.slice(-8), 16) | 0,
    dataHigh: Number.parseInt(`0${data!.slice(0, -8)}`, 16) | 0,
  }))
}

/** The line of the entry with a token in the text of a whole interest list, if it has one. */
export function lineOf(text: string, fd: number, token: number): string | null {
  const data = (BigInt(token >>> 0) << 32n) | BigInt(fd)
  const line = new RegExp(`^tfd:.* data:\\s*${data.toString(16)} .*$`, 'm').exec(text)
  return line === null ? null : line[0]
}
