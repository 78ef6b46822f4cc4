// Node's own loop, seen from a thread that blocks in a wait of ours.

#include <sys/epoll.h>
#include <uv.h>

#include "call.h"
#include "interest_list.h"
#include "syscall.h"

namespace genpoll {

int BackendFd(const State& state) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(state.env, &loop) != napi_ok || loop == nullptr) return -1;
  return uv_backend_fd(loop);
}

namespace {

// Puts the descriptor of this environment's Node loop into an epoll for the length of one blocking
// wait: whatever Node has to deliver, `worker.terminate()` above all, then ends it. Edge-triggered,
// because the wait only wants to notice, and must not spin on what it can't deliver itself.
int32_t HostAttach(State& state, int32_t epfd) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = interest::kHost;
  return Syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, BackendFd(state), &event);
}

int32_t HostDetach(State& state, int32_t epfd) {
  return Syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, BackendFd(state), nullptr);
}

}  // namespace

const Export kHostLoopExports[] = {
    {"host_attach", Call<HostAttach>::ByArguments},
    {"host_detach", Call<HostDetach>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
