/**
 * The native boundary, written by hand: every name that `src/addon.cc` exports, and nothing else
 * (test/binding.ts compares the two).
 *
 * - Arguments are checked by `lib/` before they get here; C++ checks only what would crash it.
 * - Every function leaves a result `>= 0` or `-errno`; nothing throws. Errors are made in `lib/`,
 *   so that their stacks point at the caller.
 * - A {@link RegisterCall} takes its arguments from `registers[0]`, `registers[1]`, … and leaves its
 *   result in `registers[0]`: a crossing with arguments costs several percent of a short system call
 *   more. The others take and return numbers.
 * - 64-bit values and second results travel in the registers either way. `wideRegisters` is the
 *   memory behind register 8: its word n is registers 8 + 2n and 9 + 2n, low word first.
 * - A function that makes or closes a descriptor bumps the number's generation, and one that closes
 *   or replaces it takes the number out of every interest list of the process first.
 * - In a process that was forked off without exec every function answers -ESTALE.
 */
export interface Binding {
  /** The 32-bit words, sixteen of them: the last eight are `wideRegisters`. */
  readonly registers: Int32Array
  /** The 64-bit words, four of them. */
  readonly wideRegisters: BigUint64Array
  /**
   * The process's table of generations, by descriptor number, 2^20 words; 0: never seen. Shared
   * with every thread; read here, written by C++ alone.
   */
  readonly generations: Int32Array
  /** 128 bytes in which addresses cross: as text, or as the kernel's `sockaddr`. */
  readonly address: Uint8Array
  /** Whether this is the process's first thread. Asking Node would load its module for workers. */
  readonly isMainThread: boolean
  /** The first and last real-time signal that the C library leaves to programs. */
  readonly SIGRTMIN: number
  readonly SIGRTMAX: number

  /** Where waits write their triples, until it is called again. `lib/binding.ts` keeps it alive. */
  pin_events(out: Uint32Array): void
  /** Where all but `write` that take or leave bytes find them, likewise. */
  pin_buffer(view: NodeJS.ArrayBufferView): void
  /** Where `write` finds its bytes: who answers what was read has two buffers. */
  pin_source(view: NodeJS.ArrayBufferView): void

  /** `[epfd, op, fd, events, dataLow, dataHigh]` → 0 */
  epoll_ctl: RegisterCall
  /**
   * `[epfd, timeoutMs]` → events written to the pinned triples `[events, dataLow, dataHigh]`. EINTR
   * is retried against the deadline.
   */
  epoll_wait: RegisterCall
  /**
   * `[epfd, seconds (< 0 blocks), nanoseconds, hasMask, hasPwait2]`, wide 0: the mask → as
   * `epoll_wait`; with a mask EINTR is a result. Without `epoll_pwait2` the timeout is rounded up to
   * the millisecond.
   */
  epoll_pwait: RegisterCall
  /** `[fd, offset, length]` in the pinned buffer → bytes; EINTR is retried */
  read: RegisterCall
  /** `[fd, offset, length]` in the pinned source → bytes; EINTR is retried */
  write: RegisterCall
  /** `[fd]` → 8, wide 0: the word read (eventfd, timerfd) */
  read_u64: RegisterCall
  /** `[fd]`, wide 0: the word to write (eventfd) → 8 */
  write_u64: RegisterCall

  /**
   * `[epfd, fd, events, generation (0: whichever), follows]` → 0, register 1: the generation that was
   * registered, register 2: 1 the number is owned, 2 it was recycled without genpoll. 1: the
   * generation isn't current, and nothing is done
   */
  interest_add: RegisterCall
  /** `[epfd, fd, generation, events]` → 0, or 1 if the generation isn't current */
  interest_modify: RegisterCall
  /** `[epfd, fd, generation]` → 0, or 1 if there is no such entry any more */
  interest_remove: RegisterCall
  /**
   * `[epfd, fd, generation]` → -EEXIST if the number names the file that was registered; -ENOENT if it
   * does, and somebody else has deleted the entry; 0 or another -errno if it names another file,
   * -EBADF if none; 1 if what was registered at that generation isn't alive
   */
  interest_probe: RegisterCall

  epoll_create1(flags: number): number
  /** The processor time of this thread: the low word of nanoseconds */
  cpu_clock(): number
  /** → 0, registers 1 to 3: usecs, budget, prefer (EPIOCGPARAMS) */
  epoll_get_params(epfd: number): number
  epoll_set_params(epfd: number, usecs: number, budget: number, prefer: number): number

  /** Makes an epoll of this environment an interest list, which the calls below work on → 0 */
  interest_open(epfd: number, isShared: number): number
  /**
   * `interest_add` for `count` triples `[events, fd, generation]` of the pinned buffer: all or none →
   * 0, and each became `[register 2, fd, register 1]`; else register 1: which one failed
   */
  interest_add_all(epfd: number, count: number, follows: number): number
  /**
   * Registers what a number names now in place of what it named at a generation → 0, register 1: the
   * new generation
   */
  interest_follow(epfd: number, fd: number, generation: number, events: number): number
  /** → 1 if the number is registered, else 0; register 1: the generation of its newest entry or 0,
   * register 2: 1 if it follows the number */
  interest_find(epfd: number, fd: number): number
  /**
   * What was registered at a generation is dead, unless the number still names it → as
   * `interest_probe`
   */
  interest_lose(epfd: number, fd: number, generation: number): number
  /** Forgets an entry that isn't in the kernel's list any more → as `interest_probe` */
  interest_drop(epfd: number, fd: number, generation: number): number
  /**
   * Deletes an entry whose number names another file or none → 1 if it could, else 0. `hasCalls`:
   * close_range, pidfd_open and pidfd_getfd can be used
   */
  interest_evict(epfd: number, fd: number, generation: number, hasCalls: number): number
  /**
   * Puts a new epoll with `count` entries `[events, fd, generation]` of the pinned buffer in the
   * place of the old, its busy polling and, if it is in there, the descriptor of this thread's Node
   * loop → 0, and in the place of each mask 0, or an -errno where the number doesn't name what was
   * registered; register 1: 0 if there couldn't be a new epoll, else 1
   */
  interest_rebuild(epfd: number, count: number, hasHost: number): number
  /**
   * Has an eventfd rung (-1: none) when registrations end by what happens to their numbers, in
   * whichever thread → 0
   */
  interest_bell(epfd: number, bell: number): number
  /** → the number of one that has ended since it was last asked, or -ENOENT */
  interest_ended(epfd: number): number
  /** → how many registrations are alive */
  interest_size(epfd: number): number

  /** Puts the descriptor of this thread's Node loop into an epoll: IN | ET, token 0:0. */
  host_attach(epfd: number): number
  host_detach(epfd: number): number
  /**
   * From now on Node's loop calls `callback()` whenever the epoll has something ready, in an async
   * context of its own, and is kept alive by that → an id, which isn't used again. -EEXIST: it does
   * already. `usesThread`: 1 where there is no libuv to ask (Bun).
   */
  host_start(epfd: number, callback: () => void, usesThread: number): number
  /** Whether it keeps Node's loop alive: 1 or 0 → 0 */
  host_ref(id: number, isRef: number): number
  /** The epoll under the number is about to be replaced: nobody looks at it until `host_resume` → 0 */
  host_pause(id: number): number
  host_resume(id: number): number
  /** → 0: there are no more calls, and the epoll may be closed at once. Then all answer -EBADF. */
  host_stop(id: number): number
  /** Makes it an 'uncaughtException', as any other. With no listener for that, the process ends. */
  report_exception(error: unknown): void

  eventfd(initval: number, flags: number): number
  /**
   * Rings the bell of `interest_bell`, of whichever thread → 0; 1 if the number isn't one, or doesn't
   * mean what it did at that generation
   */
  eventfd_wake(fd: number, generation: number): number

  timerfd_create(clockid: number, flags: number): number
  /** Wide 0 and 1: value and interval in ns → 0, and the old ones there */
  timerfd_settime(fd: number, flags: number): number
  /** → 0, wide 0 and 1: what is left and the interval, in ns */
  timerfd_gettime(fd: number): number

  /** Wide 0: the mask, signal n in bit n - 1 → the descriptor */
  signalfd(fd: number, flags: number): number
  /** Wide 0: the mask → 0, and the calling thread's old mask there */
  sigprocmask(how: number): number
  /** → 1 if a handler catches the signal in this process, else 0 */
  signal_caught(signal: number): number
  /**
   * Wide 0: signals to block in every thread of the process, counted for this environment → 0,
   * -EAGAIN (no free real-time signal to do it with), -ETIMEDOUT (a thread doesn't answer), or
   * -ENOENT (no /proc)
   */
  signals_block(): number
  /** Wide 0: signals that one user less wants blocked. The last one restores the masks. */
  signals_unblock(): number
  /** → 0, wide 0: the signals that are blocked in every thread now */
  signals_blocked(): number

  pidfd_open(pid: number, flags: number): number
  pidfd_send_signal(pidfd: number, signal: number): number
  /**
   * → 1 if the process has ended: register 1 the exit code or -1, register 2 the signal or -1; 0 if
   * it runs, or can't be asked
   */
  pidfd_info(pidfd: number): number

  /** A host or path of so many bytes in `address` becomes a `sockaddr` there → its length */
  address_parse(family: number, port: number, length: number): number
  /**
   * The reverse → the family (-EAFNOSUPPORT: another one), register 1: the port, register 2: how long
   * the text is
   */
  address_format(length: number): number
  socket(domain: number, type: number, protocol: number): number
  /** → 0, registers 1 and 2: the ends */
  socketpair(domain: number, type: number, protocol: number): number
  /** To the `sockaddr` in `address`, here and below */
  bind(fd: number, length: number): number
  listen(fd: number, backlog: number): number
  /** EINTR is retried */
  accept4(fd: number, flags: number): number
  /** -EINPROGRESS after EINTR as well */
  connect(fd: number, length: number): number
  shutdown(fd: number, how: number): number
  /** → the length */
  getsockname(fd: number): number
  getpeername(fd: number): number
  /** → 0, register 1: the value */
  getsockopt_int(fd: number, level: number, name: number): number
  setsockopt_int(fd: number, level: number, name: number, value: number): number
  /** Into the pinned buffer → bytes */
  getsockopt(fd: number, level: number, name: number): number
  /** All of the pinned buffer */
  setsockopt(fd: number, level: number, name: number): number
  /** At most 1,024 buffers → bytes; EINTR is retried, here and below */
  writev(fd: number, buffers: readonly NodeJS.ArrayBufferView[]): number
  /** To the `sockaddr` in `address`, unless `length` is 0, with at most 254 descriptors → bytes */
  sendmsg(
    fd: number,
    flags: number,
    length: number,
    buffers: readonly NodeJS.ArrayBufferView[],
    fds: Int32Array,
  ): number
  /**
   * → bytes, register 1: MSG_ flags, 2: how many descriptors are in `fds`, 3: how long the address is
   * that was left in `address`, 4: how many control messages were of another kind
   */
  recvmsg(
    fd: number,
    flags: number,
    buffers: readonly NodeJS.ArrayBufferView[],
    fds: Int32Array,
  ): number
  /**
   * Datagrams into the pinned buffer: `capacity` records of 128 bytes `[u32 length, u16 bytes of the
   * address, u16 whether it was truncated, sockaddr]`, then `stride` bytes of data for each → how many
   */
  recvmmsg(fd: number, capacity: number, stride: number, flags: number): number
  /** The datagrams from `first` to before `end` → how many were sent */
  sendmmsg(
    fd: number,
    capacity: number,
    stride: number,
    first: number,
    end: number,
    flags: number,
  ): number

  close(fd: number): number
  dup(fd: number): number
  /** `fcntl(F_DUPFD_CLOEXEC)` */
  dup_cloexec(fd: number): number
  dup3(oldFd: number, newFd: number, flags: number): number
  /** → 0, registers 1 and 2: the ends */
  pipe2(flags: number): number
  fcntl(fd: number, command: number, argument: number): number
  ioctl_fionbio(fd: number, on: number): number
  ioctl_fioclex(fd: number): number
  ioctl_fionclex(fd: number): number
  ioctl_fionread(fd: number): number
  kcmp(pid1: number, pid2: number, type: number, index1: number, index2: number): number
  kcmp_epoll(
    pid1: number,
    pid2: number,
    index1: number,
    efd: number,
    tfd: number,
    toff: number,
  ): number

  /** → 1 if both name one open file, 0 if not, -EOPNOTSUPP if neither can be polled */
  same_file_epoll(a: number, b: number): number

  /** Whether descriptors that are opened from now on are owned at once: 1 or 0 → 0 */
  fd_own_next(isOn: number): number
  /**
   * Marks an open number as owned by this environment, which closes it when it ends → the number:
   * another one if this `isNew` and its generations are used up. An owner is known by the generation
   * at which it took over, `since` below.
   */
  fd_own(fd: number, isNew: number): number
  fd_is_owned(fd: number, since: number): number
  /** Gives it up, open and in no interest list; 1 if it isn't owned, -EBADF as `fd_close` */
  fd_release(fd: number, since: number): number
  /** `close`; 1 if it isn't owned, -EBADF also if it names another file, which is left open */
  fd_close(fd: number, since: number): number
  /** -EBADF if it isn't owned */
  fd_set_cloexec(fd: number, since: number, on: number): number
  /** -EBADF if it isn't owned */
  fd_set_non_blocking(fd: number, since: number, on: number): number
  /** `dup3(original, fd, O_CLOEXEC)`: owner and registrations stay, with a new generation → fd */
  fd_replace(original: number, fd: number): number
  /** The number means something else from now on, and is nobody's → 0 */
  fd_retire(fd: number): number
  /** The same, if the generation is current → 0 */
  fd_retire_if(fd: number, generation: number): number

  /**
   * → what a system call answers here, by its number, tried so that no filter can kill us; -ENOSYS
   * if one would
   */
  probe(number: number, a: number, b: number, c: number): number
}

/** A native function that takes its arguments and leaves its result in the registers. */
export type RegisterCall = () => void
