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

// The next descriptor that is opened here belongs to this environment from the first moment: it may
// end before JavaScript comes to say so.
int32_t OwnNext(State& state, int32_t is_on) {
  state.owns_next = is_on != 0;
  return 0;
}

template <Pinned State::*Where>
napi_value Pin(napi_env env, napi_callback_info info) {
  napi_value view;
  size_t count = 1;
  void* data;
  napi_get_cb_info(env, info, &count, &view, nullptr, &data);
  static_cast<State*>(data)->*Where = MemoryOf(env, view);
  return nullptr;
}

const Export kOwnExports[] = {
    {"pin_events", Pin<&State::events>},
    {"pin_buffer", Pin<&State::buffer>},
    {"pin_source", Pin<&State::source>},
    {"fd_own_next", Call<OwnNext>::ByArguments},
    {nullptr, nullptr},
};

const Export* const kExports[] = {
    kOwnExports,      kEpollExports,    kInterestExports,   kHostLoopExports,
    kHostPollExports, kFdExports,       kEventfdExports,    kTimerfdExports,
    kPidfdExports,    kSignalfdExports, kSignalMaskExports, kProbeExports,
    kSameFileExports, kAddressExports,  kSocketExports,     kMessageExports,
};

// Where a worker is terminated while it loads the addon, every call of Node-API fails from then on,
// and one that isn't looked at, or an exception, would end the process.
bool Set(napi_env env, napi_value exports, const char* name, napi_status made, napi_value value) {
  return made == napi_ok && napi_set_named_property(env, exports, name, value) == napi_ok;
}

bool SetNumber(napi_env env, napi_value exports, const char* name, int32_t number) {
  napi_value value;
  const napi_status made = napi_create_int32(env, number, &value);
  return Set(env, exports, name, made, value);
}

bool SetArray(napi_env env, napi_value exports, const char* name, napi_typedarray_type type,
              size_t length, napi_value buffer, size_t offset) {
  napi_value value;
  const napi_status made = napi_create_typedarray(env, type, length, buffer, offset, &value);
  return Set(env, exports, name, made, value);
}

bool SetRegisters(napi_env env, napi_value exports, State& state) {
  void* memory;
  napi_value buffer;
  if (napi_create_arraybuffer(env, kRegisterBytes + kAddressBytes, &memory, &buffer) != napi_ok)
    return false;
  memset(memory, 0, kRegisterBytes + kAddressBytes);
  state.registers = static_cast<int32_t*>(memory);
  state.wide = reinterpret_cast<uint64_t*>(state.registers + kRegisters);
  state.address = static_cast<uint8_t*>(memory) + kRegisterBytes;
  // lib/ keeps the views, but the memory must outlive even a module that is only half loaded.
  napi_ref keep;
  return napi_create_reference(env, buffer, 1, &keep) == napi_ok &&
         SetArray(env, exports, "registers", napi_int32_array, kRegisterBytes / sizeof(int32_t),
                  buffer, 0) &&
         SetArray(env, exports, "wideRegisters", napi_biguint64_array, kWideRegisters, buffer,
                  kRegisters * sizeof(int32_t)) &&
         SetArray(env, exports, "address", napi_uint8_array, kAddressBytes, buffer, kRegisterBytes);
}

bool SetFunctions(napi_env env, napi_value exports, State* state) {
  for (const Export* entry : kExports) {
    for (; entry->name != nullptr; entry++) {
      napi_value function;
      const napi_status made = napi_create_function(env, entry->name, NAPI_AUTO_LENGTH,
                                                    entry->function, state, &function);
      if (!Set(env, exports, entry->name, made, function)) return false;
    }
  }
  return true;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  if (!fd_table::Init()) {
    napi_throw_error(env, nullptr, "genpoll: no memory for the descriptor table");
    return exports;
  }
  auto* state = new State(env);
  napi_add_env_cleanup_hook(env, TearDown, state);
  if (!SetRegisters(env, exports, *state)) return exports;

  // The process-wide table itself, so that a check costs JavaScript one load.
  napi_value generations;
  if (napi_create_external_arraybuffer(env, fd_table::Generations(),
                                       fd_table::kSlots * sizeof(uint32_t), nullptr, nullptr,
                                       &generations) != napi_ok) {
    napi_throw_error(env, nullptr, "genpoll: this host allows no external ArrayBuffer (Electron?)");
    return exports;
  }
  napi_value is_main_thread;
  napi_get_boolean(env, state->is_main_thread, &is_main_thread);
  (void)(SetArray(env, exports, "generations", napi_int32_array, fd_table::kSlots, generations,
                  0) &&
         Set(env, exports, "isMainThread", napi_ok, is_main_thread) &&
         SetNumber(env, exports, "SIGRTMIN", SIGRTMIN) &&
         SetNumber(env, exports, "SIGRTMAX", SIGRTMAX) && SetFunctions(env, exports, state));
  return exports;
}

}  // namespace

Pinned MemoryOf(napi_env env, napi_value view) {
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
  if (memory == nullptr) return {};
  return {static_cast<uint8_t*>(memory), length};
}

int32_t Keep(State& state, int32_t rc) {
  if (!state.owns_next || !fd_table::HasSlot(rc)) return rc;
  fd_table::Lock lock(rc);
  Own(state, lock, rc);
  return rc;
}

bool Own(State& state, const fd_table::Lock& lock, int fd) {
  fd_table::Slot& slot = lock.slot();
  if (slot.is_worn) return false;
  slot.owner = state.id;
  slot.since = lock.generation();
  if (fd >= state.owned_limit) state.owned_limit = fd + 1;
  return true;
}

}  // namespace genpoll

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) {
  return genpoll::Init(env, exports);
}

NODE_API_MODULE(genpoll, InitModule)
