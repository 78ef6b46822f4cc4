#include "host_thread.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

class Guard {
 public:
  explicit Guard(pthread_mutex_t* lock) : lock_(lock) { pthread_mutex_lock(lock_); }
  ~Guard() { pthread_mutex_unlock(lock_); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  pthread_mutex_t* const lock_;
};

}  // namespace

HostThread::HostThread(napi_env env, int fd, Callback on_ready, Callback on_freed, void* data)
    : env_(env), fd_(fd), on_ready_(on_ready), on_freed_(on_freed), data_(data) {
  pthread_mutex_init(&lock_, nullptr);
  pthread_cond_init(&changed_, nullptr);
}

HostThread::~HostThread() {
  pthread_cond_destroy(&changed_);
  pthread_mutex_destroy(&lock_);
}

int32_t HostThread::Start(napi_env env, int fd, Callback on_ready, Callback on_freed, void* data,
                          HostThread** thread) {
  auto* self = new HostThread(env, fd, on_ready, on_freed, data);
  int32_t rc = self->StartThread();
  if (rc == 0) {
    rc = self->CreateFunction();
    if (rc < 0) self->EndThread();
  }
  if (rc < 0) {
    delete self;
    return rc;
  }
  // After the function's own hook, and so called before it: the thread mustn't find it closed.
  napi_add_env_cleanup_hook(env, OnEnd, self);
  self->Resume();
  *thread = self;
  return 0;
}

int32_t HostThread::StartThread() {
  bell_ = fd_table::Opened(Syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (bell_ < 0) return bell_;
  // A thread begins with the mask of its maker. Signals are for the threads that Node knows.
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  const auto run = [](void* self) -> void* {
    static_cast<HostThread*>(self)->Run();
    return nullptr;
  };
  const int error = pthread_create(&thread_, nullptr, run, this);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  if (error != 0) {
    Syscall(SYS_close, bell_);
    return -error;
  }
  pthread_setname_np(thread_, "genpoll");
  return 0;
}

int32_t HostThread::CreateFunction() {
  napi_value name;
  napi_create_string_latin1(env_, "GENPOLL_THREAD", NAPI_AUTO_LENGTH, &name);
  const napi_status status = napi_create_threadsafe_function(
      env_, nullptr, nullptr, name, 0, 1, this, OnFinalize, this, OnCall, &function_);
  return status == napi_ok ? 0 : -ENOMEM;
}

void HostThread::Run() {
  Guard guard(&lock_);
  while (!is_ending_) {
    if (is_paused_ || is_calling_) {
      pthread_cond_wait(&changed_, &lock_);
    } else {
      Look();
    }
  }
}

// Gives up the lock while it blocks.
void HostThread::Look() {
  pollfd polled[] = {{fd_, POLLIN, 0}, {bell_, POLLIN, 0}};
  is_looking_ = true;
  pthread_mutex_unlock(&lock_);
  poll(polled, 2, -1);
  pthread_mutex_lock(&lock_);
  is_looking_ = false;
  uint64_t rings;
  if (polled[1].revents != 0) Syscall(SYS_read, bell_, &rings, sizeof rings);
  pthread_cond_signal(&changed_);
  // Anything, so that a number that was closed is found out by who reads from it.
  if (polled[0].revents == 0 || is_paused_ || is_ending_) return;
  is_calling_ = true;
  napi_call_threadsafe_function(function_, reinterpret_cast<void*>(round_), napi_tsfn_nonblocking);
}

// Sets one of the flags that keep the thread from looking. A callback that is running counts as a
// call until it returns: what it is about to read mustn't be seen again before.
void HostThread::Halt(bool* why) {
  Guard guard(&lock_);
  *why = true;
  if (!is_running_) {
    round_++;
    is_calling_ = false;
  }
  const uint64_t ring = 1;
  if (is_looking_) Syscall(SYS_write, bell_, &ring, sizeof ring);
  pthread_cond_signal(&changed_);
  while (is_looking_) pthread_cond_wait(&changed_, &lock_);
}

void HostThread::OnCall(napi_env env, napi_value, void* self, void* round) {
  // Without an environment nothing comes of the call any more, and `self` may be gone.
  if (env == nullptr) return;
  auto* thread = static_cast<HostThread*>(self);
  if (thread->round_ != reinterpret_cast<uintptr_t>(round)) return;
  thread->is_running_ = true;
  thread->on_ready_(thread->data_);
  thread->is_running_ = false;
  Guard guard(&thread->lock_);
  thread->is_calling_ = false;
  pthread_cond_signal(&thread->changed_);
}

void HostThread::SetRef(bool is_ref) {
  (is_ref ? napi_ref_threadsafe_function : napi_unref_threadsafe_function)(env_, function_);
}

void HostThread::Pause() { Halt(&is_paused_); }

void HostThread::Resume() {
  Guard guard(&lock_);
  is_paused_ = false;
  pthread_cond_signal(&changed_);
}

void HostThread::EndThread() {
  Halt(&is_ending_);
  pthread_join(thread_, nullptr);
  Syscall(SYS_close, bell_);
}

void HostThread::Stop() {
  napi_remove_env_cleanup_hook(env_, OnEnd, this);
  EndThread();
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

void HostThread::OnEnd(void* self) {
  // A child that was forked off has no such thread, and no use for its lock.
  if (fd_table::is_forked) return;
  auto* thread = static_cast<HostThread*>(self);
  thread->EndThread();
  napi_release_threadsafe_function(thread->function_, napi_tsfn_abort);
}

void HostThread::OnFinalize(napi_env, void* self, void*) {
  auto* thread = static_cast<HostThread*>(self);
  thread->on_freed_(thread->data_);
  delete thread;
}

}  // namespace genpoll
