// Node's own loop calls JavaScript whenever an epoll of ours has something ready.

#include <fcntl.h>
#include <sys/epoll.h>
#include <uv.h>

#include <algorithm>
#include <vector>

#include "call.h"
#include "host_thread.h"
#include "syscall.h"

namespace genpoll {

namespace {

// An epoll that the loop watches. It outlives State, which goes with the first half of the
// environment's end: libuv gives its handles back in the second.
struct Host {
  napi_env env;
  int32_t id;
  int epfd;
  napi_ref callback;
  napi_async_context context;
  HostThread* thread;  // if it is that which looks at the epoll; else these:
  uv_poll_t poll;
  uv_prepare_t guard;
  int handles;  // how many of the two libuv has
  napi_async_cleanup_hook_handle hook;
};

// Those of one environment that weren't stopped. An id comes again only when all others have.
struct Hosts {
  std::vector<Host*> running;
  int32_t next_id = 0;
};

Hosts& HostsOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  if (data == nullptr) {
    data = new Hosts;
    const auto finalize = [](napi_env, void* hosts, void*) { delete static_cast<Hosts*>(hosts); };
    napi_set_instance_data(env, data, finalize, nullptr);
  }
  return *static_cast<Hosts*>(data);
}

template <typename Predicate>
Host* Find(Hosts& hosts, Predicate matches) {
  const auto found = std::find_if(hosts.running.begin(), hosts.running.end(), matches);
  return found == hosts.running.end() ? nullptr : *found;
}

Host* HostOf(const State& state, int32_t id) {
  return Find(HostsOf(state.env), [id](const Host* host) { return host->id == id; });
}

// The host may be stopped by what it calls. Once the environment has begun to end, all of this is
// refused.
void CallBack(void* data) {
  const auto* host = static_cast<Host*>(data);
  napi_env env = host->env;
  napi_handle_scope scope;
  napi_value global, callback, error;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_global(env, &global) == napi_ok &&
      napi_get_reference_value(env, host->callback, &callback) == napi_ok &&
      napi_make_callback(env, host->context, global, callback, 0, nullptr, nullptr) ==
          napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

void Free(void* data) {
  auto* host = static_cast<Host*>(data);
  napi_delete_reference(host->env, host->callback);
  napi_async_destroy(host->env, host->context);
  delete host;
}

uv_handle_t* HandleOf(uv_poll_t& poll) { return reinterpret_cast<uv_handle_t*>(&poll); }
uv_handle_t* HandleOf(uv_prepare_t& guard) { return reinterpret_cast<uv_handle_t*>(&guard); }

// Puts the epoll into libuv's own. libuv does the same later, and takes what it finds for its own.
bool Enlist(const Host* host) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = host->epfd;
  const int backend = uv_backend_fd(host->poll.loop);
  const int rc = Syscall(SYS_epoll_ctl, backend, EPOLL_CTL_ADD, host->epfd, &event);
  return rc == 0 || rc == -EEXIST;
}

// Whatever the status is: who reads from the epoll finds out.
void OnReady(uv_poll_t* poll, int, int) { CallBack(poll->data); }

// libuv adds a descriptor when its loop comes to wait, and aborts the process if it can't: by then
// the number may have been closed behind our back. This is asked right before.
void OnPrepare(uv_prepare_t* guard) {
  auto* host = static_cast<Host*>(guard->data);
  uv_prepare_stop(guard);
  if (Enlist(host)) return;
  uv_poll_stop(&host->poll);
  CallBack(host);
}

void Watch(Host* host) {
  uv_poll_start(&host->poll, UV_READABLE, OnReady);
  // Already now, so that who nests too much into it is refused that.
  Enlist(host);
  uv_prepare_start(&host->guard, OnPrepare);
}

void Unwatch(Host* host) {
  uv_prepare_stop(&host->guard);
  uv_poll_stop(&host->poll);
}

void OnClosed(uv_handle_t* handle) {
  auto* host = static_cast<Host*>(handle->data);
  if (--host->handles > 0) return;
  // This is what keeps the environment, which `Free` needs.
  napi_async_cleanup_hook_handle hook = host->hook;
  Free(host);
  napi_remove_async_cleanup_hook(hook);
}

void Close(Host* host) {
  Unwatch(host);
  uv_close(HandleOf(host->poll), OnClosed);
  uv_close(HandleOf(host->guard), OnClosed);
}

// A handle that is left to a loop that ends aborts the process. State's hook, which closes the
// epolls, is the older one and comes later.
void OnEnd(napi_async_cleanup_hook_handle, void* data) {
  auto* host = static_cast<Host*>(data);
  if (!uv_is_closing(HandleOf(host->poll))) Close(host);
}

int32_t StartPoll(Host* host) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(host->env, &loop) != napi_ok || loop == nullptr) return -ENOSYS;
  const int rc = uv_poll_init(loop, &host->poll, host->epfd);
  if (rc < 0) return rc;
  uv_prepare_init(loop, &host->guard);
  uv_unref(HandleOf(host->guard));
  host->poll.data = host->guard.data = host;
  host->handles = 2;
  napi_add_async_cleanup_hook(host->env, OnEnd, host, &host->hook);
  Watch(host);
  return 0;
}

int32_t StartThread(Host* host) {
  const int rc = Syscall(SYS_fcntl, host->epfd, F_GETFD);
  if (rc < 0) return rc;
  return HostThread::Start(host->env, host->epfd, CallBack, Free, host, &host->thread);
}

int32_t Start(napi_env env, int epfd, napi_value callback, bool uses_thread) {
  Hosts& hosts = HostsOf(env);
  if (Find(hosts, [epfd](const Host* host) { return host->epfd == epfd; })) return -EEXIST;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, callback, &type);
  if (type != napi_function) return -EINVAL;
  auto* host = new Host{};
  host->env = env;
  host->epfd = epfd;
  napi_value name;
  napi_create_string_latin1(env, "GENPOLL_LOOP", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, nullptr, name, &host->context);
  napi_create_reference(env, callback, 1, &host->callback);
  const int32_t rc = uses_thread ? StartThread(host) : StartPoll(host);
  if (rc < 0) {
    Free(host);
    return rc;
  }
  host->id = hosts.next_id;
  hosts.next_id = (hosts.next_id + 1) & INT32_MAX;
  hosts.running.push_back(host);
  return host->id;
}

napi_value HostStart(napi_env env, napi_callback_info info) {
  napi_value values[3];
  size_t count = 3;
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  int32_t epfd = -1;
  int32_t uses_thread = 0;
  napi_get_value_int32(env, values[0], &epfd);
  napi_get_value_int32(env, values[2], &uses_thread);
  const int32_t rc = fd_table::is_forked ? -ESTALE : Start(env, epfd, values[1], uses_thread != 0);
  napi_value result;
  napi_create_int32(env, rc, &result);
  return result;
}

int32_t HostRef(State& state, int32_t id, int32_t is_ref) {
  Host* host = HostOf(state, id);
  if (host == nullptr) return -EBADF;
  if (host->thread != nullptr) {
    host->thread->SetRef(is_ref != 0);
  } else {
    (is_ref != 0 ? uv_ref : uv_unref)(HandleOf(host->poll));
  }
  return 0;
}

int32_t HostPause(State& state, int32_t id) {
  Host* host = HostOf(state, id);
  if (host == nullptr) return -EBADF;
  if (host->thread != nullptr) {
    host->thread->Pause();
  } else {
    Unwatch(host);
  }
  return 0;
}

int32_t HostResume(State& state, int32_t id) {
  Host* host = HostOf(state, id);
  if (host == nullptr) return -EBADF;
  if (host->thread != nullptr) {
    host->thread->Resume();
  } else {
    Watch(host);
  }
  return 0;
}

int32_t HostStop(State& state, int32_t id) {
  Host* host = HostOf(state, id);
  if (host == nullptr) return -EBADF;
  auto& running = HostsOf(state.env).running;
  running.erase(std::find(running.begin(), running.end(), host));
  if (host->thread != nullptr) {
    host->thread->Stop();
  } else {
    Close(host);
  }
  return 0;
}

napi_value ReportException(napi_env env, napi_callback_info info) {
  napi_value error;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &error, nullptr, nullptr);
  napi_fatal_exception(env, error);
  return nullptr;
}

}  // namespace

const Export kHostPollExports[] = {
    {"host_start", HostStart},
    {"host_ref", Call<HostRef>::ByArguments},
    {"host_pause", Call<HostPause>::ByArguments},
    {"host_resume", Call<HostResume>::ByArguments},
    {"host_stop", Call<HostStop>::ByArguments},
    {"report_exception", ReportException},
    {nullptr, nullptr},
};

}  // namespace genpoll
