#ifndef GENPOLL_HOST_THREAD_H_
#define GENPOLL_HOST_THREAD_H_

#include <pthread.h>

#include <cstdint>

#include "node_api.h"

namespace genpoll {

// For hosts without libuv: a thread that blocks until a descriptor is readable, and then has that
// said to the environment's own thread. It doesn't look again before it was.
class HostThread {
 public:
  using Callback = void (*)(void* data);

  // This and all that follow are called in the environment's thread, and so are the callbacks:
  // `on_ready` from the loop, `on_freed` from the loop after `Stop`, or when the environment ends.
  // 0, or -errno: then neither will be called.
  static int32_t Start(napi_env env, int fd, Callback on_ready, Callback on_freed, void* data,
                       HostThread** thread);

  void SetRef(bool is_ref);
  // On return the thread isn't looking at the descriptor, and `on_ready` isn't called for what it
  // saw there.
  void Pause();
  void Resume();
  // On return the thread has ended.
  void Stop();

 private:
  HostThread(napi_env env, int fd, Callback on_ready, Callback on_freed, void* data);
  ~HostThread();

  int32_t StartThread();
  int32_t CreateFunction();
  void Run();
  void Look();
  void Halt(bool* why);
  void EndThread();
  static void OnCall(napi_env env, napi_value, void* self, void* round);
  static void OnFinalize(napi_env, void* self, void*);
  static void OnEnd(void* self);

  const napi_env env_;
  const int fd_;
  const Callback on_ready_;
  const Callback on_freed_;
  void* const data_;
  int bell_ = -1;
  pthread_t thread_;
  napi_threadsafe_function function_ = nullptr;
  bool is_running_ = false;  // the callback, in the environment's thread

  // Guarded by `lock_`. `round_` tells a call that was under way when the thread was halted.
  pthread_mutex_t lock_;
  pthread_cond_t changed_;
  bool is_paused_ = true;
  bool is_ending_ = false;
  bool is_looking_ = false;
  bool is_calling_ = false;
  uintptr_t round_ = 0;
};

}  // namespace genpoll

#endif  // GENPOLL_HOST_THREAD_H_
