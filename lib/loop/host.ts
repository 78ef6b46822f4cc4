import { binding } from '../binding.js'
import { check } from '../errors.js'
import { hasLibuv } from '../runtime.js'

/** Where there is no libuv to ask, a thread looks for it. */
const usesThread = Number(!hasLibuv)

/** What makes Node's own loop call us whenever an epoll has something ready. */
export class Host {
  readonly #id: number
  #isReferenced = true

  constructor(epfd: number, callback: () => void) {
    this.#id = check(binding.host_start(epfd, callback, usesThread), 'uv_poll_start', epfd)
  }

  /** Whether it keeps Node alive. */
  set isReferenced(isReferenced: boolean) {
    if (isReferenced === this.#isReferenced) return
    this.#isReferenced = isReferenced
    check(binding.host_ref(this.#id, Number(isReferenced)), 'uv_ref')
  }

  /** The epoll is about to be replaced by another, under its number. */
  pause(): void {
    check(binding.host_pause(this.#id), 'uv_poll_stop')
  }

  resume(): void {
    check(binding.host_resume(this.#id), 'uv_poll_start')
  }

  stop(): void {
    check(binding.host_stop(this.#id), 'uv_poll_stop')
  }
}
