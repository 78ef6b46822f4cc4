// Node's own loop, seen from a thread that blocks in a wait of ours.

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "call.h"
#include "syscalls.h"

namespace genpoll {

namespace {

int BackendFd(State& state) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(state.env, &loop) != napi_ok || loop == nullptr) return -1;
  return uv_backend_fd(loop);
}

}  // namespace

// Puts the descriptor of this environment's Node loop into an epoll for the length of one blocking
// wait: whatever Node has to deliver, `worker.terminate()` above all, then ends it. Edge-triggered,
// because the wait only wants to notice, and must not spin on what it can't deliver itself. Its
// token has generation 0, which no registration ever has.
int32_t HostAttach(State& state, int32_t epfd) {
  return EpollCtl(state, epfd, EPOLL_CTL_ADD, BackendFd(state),
                  static_cast<int32_t>(EPOLLIN | EPOLLET), 0, 0);
}

int32_t HostDetach(State& state, int32_t epfd) {
  return EpollCtl(state, epfd, EPOLL_CTL_DEL, BackendFd(state), 0, 0, 0);
}

}  // namespace genpoll
