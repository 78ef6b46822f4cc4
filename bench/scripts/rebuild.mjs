// A new epoll in the place of the old. Twin: twins/many.c.
import { EFD_NONBLOCK, EPOLLIN, Epoll } from 'genpoll'
import * as sys from 'genpoll/sys'
import { serve, timed } from './serve.mjs'

const epoll = new Epoll()

await serve({
  setup(count) {
    epoll.addAll(
      Array.from({ length: count }, () => [sys.eventfd(0, EFD_NONBLOCK), EPOLLIN, undefined]),
    )
  },
  /** Nanoseconds each. */
  rebuild(times) {
    return (
      timed(() => {
        for (let i = 0; i < times; i++) epoll.rebuild()
      }) / times
    )
  },
})
