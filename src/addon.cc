// The module: state for each environment, and the table of what it exports.

#include "addon.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "call.h"
#include "fd_table.h"
#include "signal_mask.h"
#include "syscall.h"

namespace genpoll {

State::State(napi_env env) : env(env) {
  static std::atomic<uint32_t> next_id{1};
  id = next_id.fetch_add(1, std::memory_order_relaxed);
  is_main_thread = Syscall(SYS_gettid) == getpid();
}

namespace {

// Runs when the environment ends, `worker.terminate()` included, where no JavaScript runs any more:
// what its objects had open is closed here.
void TearDown(void* data) {
  auto* state = static_cast<State*>(data);
  // What would be left are the parent's epolls.
  if (fd_table::is_forked) return;
  // The epolls last: while a number is in one, it can be told whether it names a stranger.
  for (bool are_lists : {false, true}) {
    for (int fd = 0; fd < state->owned_limit; fd++) {
      uint32_t since;
      {
        fd_table::Lock lock(fd);
        const fd_table::Slot& slot = lock.slot();
        if (slot.owner != state->id || (slot.list != nullptr) != are_lists) continue;
        since = slot.since;
      }
      CloseOwned(fd, since);
    }
  }
  for (interest::List* list : state->lists) {
    if (list != nullptr) interest::Release(list);
  }
  // The end of the main thread is the end of the process: a signal that arrives now had better find
  // itself still blocked than take its default action in the middle of an orderly exit.
  if (!state->is_main_thread) signal_mask::ReleaseAll(*state);
  free(state->unpacked.data);
  delete state;
}

template <Pinned State::*Where>
napi_value Pin(napi_env env, napi_callback_info info) {
  napi_value view;
  size_t count = 1;
  void* data;
  napi_get_cb_info(env, info, &count, &view, nullptr, &data);
  Pinned& pinned = static_cast<State*>(data)->*Where;
  pinned = {};
  bool is_data_view = false;
  napi_is_dataview(env, view, &is_data_view);
  void* memory = nullptr;
  size_t length = 0;
  if (is_data_view) {
    napi_get_dataview_info(env, view, &length, &memory, nullptr, nullptr);
  } else {
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env, view, &type, &length, &memory, nullptr, nullptr) == napi_ok) {
      static constexpr size_t kWidth[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
      length *= static_cast<size_t>(type) < sizeof kWidth / sizeof *kWidth ? kWidth[type] : 0;
    }
  }
  if (memory != nullptr) pinned = {static_cast<uint8_t*>(memory), length};
  return nullptr;
}

const Export kOwnExports[] = {
    {"pin_events", Pin<&State::events>},
    {"pin_buffer", Pin<&State::buffer>},
    {nullptr, nullptr},
};

const Export* const kExports[] = {
    kOwnExports,        kEpollExports,   kInterestExports, kHostLoopExports, kHostPollExports,
    kFdExports,         kEventfdExports, kTimerfdExports,  kPidfdExports,    kSignalfdExports,
    kSignalMaskExports, kProbeExports,   kSameFileExports,
};

Napi::Object Fail(Napi::Env env, Napi::Object exports, const char* why) {
  Napi::Error::New(env, why).ThrowAsJavaScriptException();
  return exports;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  if (!fd_table::Init()) return Fail(env, exports, "genpoll: no memory for the descriptor table");
  auto* state = new State(env);

  Napi::ArrayBuffer registers = Napi::ArrayBuffer::New(env, kRegisterBytes);
  memset(registers.Data(), 0, kRegisterBytes);
  state->registers = static_cast<int32_t*>(registers.Data());
  state->wide = reinterpret_cast<uint64_t*>(state->registers + kRegisters);
  exports["registers"] = Napi::Int32Array::New(env, kRegisterBytes / sizeof(int32_t), registers, 0);
  exports["wideRegisters"] =
      Napi::BigUint64Array::New(env, kWideRegisters, registers, kRegisters * sizeof(int32_t));
  // lib/ keeps the views, but the memory must outlive even a module that is only half loaded.
  napi_ref keep;
  napi_create_reference(env, registers, 1, &keep);

  // The process-wide table itself, so that a check costs JavaScript one load.
  napi_value generations;
  if (napi_create_external_arraybuffer(env, fd_table::Generations(),
                                       fd_table::kSlots * sizeof(uint32_t), nullptr, nullptr,
                                       &generations) != napi_ok) {
    return Fail(env, exports, "genpoll: this host allows no external ArrayBuffer (Electron?)");
  }
  exports["generations"] =
      Napi::Int32Array::New(env, fd_table::kSlots, Napi::ArrayBuffer(env, generations), 0);
  exports["isMainThread"] = Napi::Boolean::New(env, state->is_main_thread);
  exports["SIGRTMIN"] = Napi::Number::New(env, SIGRTMIN);
  exports["SIGRTMAX"] = Napi::Number::New(env, SIGRTMAX);

  for (const Export* entry : kExports) {
    for (; entry->name != nullptr; entry++) {
      napi_value function;
      napi_create_function(env, entry->name, NAPI_AUTO_LENGTH, entry->function, state, &function);
      exports.Set(entry->name, Napi::Value(env, function));
    }
  }
  napi_add_env_cleanup_hook(env, TearDown, state);
  return exports;
}

}  // namespace

}  // namespace genpoll

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) {
  return genpoll::Init(env, exports);
}

NODE_API_MODULE(genpoll, InitModule)
