import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import {
  ClosedError,
  EPOLLIN,
  Epoll,
  ErrnoError,
  EventFd,
  Fd,
  isErrno,
  type StaleReason,
  StaleRegistrationError,
  UnsupportedError,
} from 'genpoll'
import * as sys from 'genpoll/sys'
import { test } from './fixtures/check.js'
import { pipe } from './fixtures/descriptors.js'

/** What a call throws. */
function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('an ErrnoError has the shape of Node’s system errors', (t) => {
  const error = thrownBy(() => sys.epoll_ctl(-1, sys.EPOLL_CTL_MOD, 7)) as ErrnoError
  t.ok(error instanceof ErrnoError)
  t.ok(error instanceof Error)
  t.equal(error.name, 'ErrnoError')
  t.strictSame(
    { ...error },
    { code: 'EBADF', errno: -9, syscall: 'epoll_ctl', op: 'EPOLL_CTL_MOD', fd: 7 },
  )
  t.equal(error.errno, -constants.errno.EBADF)
  t.match(error.message, /^EBADF: bad file descriptor, epoll_ctl EPOLL_CTL_MOD fd 7/)
  t.match(error.stack, /^ErrnoError: EBADF: /)
  t.equal(Object.keys(error).includes('generation'), false)
})

test('what doesn’t apply to an ErrnoError isn’t there', (t) => {
  const error = thrownBy(() => sys.pipe2(1)) as ErrnoError
  t.strictSame({ ...error }, { code: 'EINVAL', errno: -22, syscall: 'pipe2' })
})

test('an operation that doesn’t exist is told by its number', (t) => {
  using epoll = new Epoll()
  using bell = new EventFd()
  const call = (): void => sys.epoll_ctl(epoll.fd, 9, bell.fd)
  t.match(thrownBy(call), { code: 'EINVAL', op: 'op 9' })
})

test('every code is the kernel’s own name', (t) => {
  for (const [code, errno] of Object.entries(constants.errno)) {
    const same: Record<string, string> = { EWOULDBLOCK: 'EAGAIN', ENOTSUP: 'EOPNOTSUPP' }
    t.equal(new ErrnoError(-errno, 'call').code, same[code] ?? code)
  }
  t.match(new ErrnoError(-4095, 'call'), { code: 'E4095', errno: -4095, syscall: 'call' })
})

test('a stack begins at the caller', (t) => {
  const here = fileURLToPath(import.meta.url)
  const registered = new EventFd()
  using epoll = new Epoll()
  const registration = epoll.add(registered, EPOLLIN, undefined)
  const [reading, writing] = pipe()
  writing.close()
  const buffer = Buffer.alloc(1)
  const calls: Record<string, () => unknown> = {
    epoll_create1: () => sys.epoll_create1(1),
    epoll_ctl: () => sys.epoll_ctl(-1, 1, 0),
    epoll_pwait: () => sys.epoll_pwait(-1, new Uint32Array(3), 0),
    epoll_pwait2: () => sys.epoll_pwait2(-1, new Uint32Array(3), 0n),
    read: () => sys.read(-1, buffer),
    eventfd_read: () => sys.eventfd_read(-1),
    close: () => sys.close(-1),
    pipe2: () => sys.pipe2(1),
    'Fd.adopt': () => Fd.adopt(999_999),
    'Fd.write': () => reading.write(buffer),
    'Epoll.add': () => epoll.add(registered, EPOLLIN, undefined),
    'Epoll.addAll': () => epoll.addAll([[registered, EPOLLIN, undefined]]),
    'Registration.modify': () => {
      registration.remove()
      registration.modify(EPOLLIN)
    },
  }
  for (const [name, call] of Object.entries(calls)) {
    const [, first] = (thrownBy(call) as Error).stack!.split('\n    at ')
    t.match(first, here, name)
  }
  reading.close()
  registered.close()
})

test('isErrno tells by code, and narrows the type', (t) => {
  const error: unknown = thrownBy(() => sys.close(-1))
  t.equal(isErrno(error), true)
  t.equal(isErrno(error, 'EBADF'), true)
  t.equal(isErrno(error, 'ENOENT', 'EBADF'), true)
  t.equal(isErrno(error, 'ENOENT'), false)
  if (isErrno(error, 'EBADF', 'EINVAL')) {
    const code: 'EBADF' | 'EINVAL' = error.code
    const { errno, syscall }: ErrnoError = error
    t.strictSame([code, errno, syscall], ['EBADF', -9, 'close'])
    // @ts-expect-error: the type has no other codes left
    t.notOk(error.code === 'ENOENT')
  }
  for (const other of [undefined, null, 'EBADF', { code: 'EBADF' }, new Error('EBADF')]) {
    t.equal(isErrno(other), false)
    t.equal(isErrno(other, 'EBADF'), false)
  }
})

test('StaleRegistrationError says why', (t) => {
  for (const reason of ['closed', 'replaced', 'removed'] satisfies StaleReason[]) {
    const error = new StaleRegistrationError(reason, { fd: 3, generation: 4, op: 'EPOLL_CTL_MOD' })
    t.equal(error.name, 'StaleRegistrationError')
    t.equal(isErrno(error, 'ENOENT'), true)
    const about = { syscall: 'epoll_ctl', op: 'EPOLL_CTL_MOD', fd: 3, generation: 4 }
    t.strictSame({ ...error }, { reason, code: 'ENOENT', errno: -2, ...about })
  }
})

test('ClosedError and UnsupportedError have names and codes', (t) => {
  const closed = new ClosedError('Epoll')
  t.strictSame([closed.name, closed.code], ['ClosedError', 'ERR_CLOSED'])
  t.match(closed.message, 'Epoll')
  const unsupported = new UnsupportedError('not here')
  t.strictSame([unsupported.name, unsupported.code], ['UnsupportedError', 'ERR_UNSUPPORTED'])
  t.equal(unsupported.message, 'not here')
  for (const error of [closed, unsupported]) {
    t.ok(error instanceof Error)
    t.equal(isErrno(error), false)
  }
})
