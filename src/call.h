#ifndef GENPOLL_CALL_H_
#define GENPOLL_CALL_H_

#include <cerrno>
#include <utility>

#include "addon.h"
#include "exports.h"
#include "fd_table.h"

// Two ways for JavaScript to reach `int32_t F(State&, int32_t...)`. Node-API's own C functions are
// used here rather than the C++ wrappers: this is the hot path, and the wrappers cost a few percent
// of a system call. lib/ has checked every argument, so nothing is checked twice. In a process that
// was forked off without exec every call is refused.

namespace genpoll {

template <auto F>
struct Call;

template <typename... A, int32_t (*F)(State&, A...)>
struct Call<F> {
  // Arguments are read from registers 0, 1, …; the result is left in register 0.
  static napi_value ByRegisters(napi_env env, napi_callback_info info) {
    void* data;
    napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
    auto& state = *static_cast<State*>(data);
    state.registers[0] =
        fd_table::is_forked ? -ESTALE : FromRegisters(state, std::index_sequence_for<A...>());
    return nullptr;
  }

  // Arguments are JavaScript numbers; the result is returned as one.
  static napi_value ByArguments(napi_env env, napi_callback_info info) {
    constexpr size_t kCount = sizeof...(A);
    napi_value values[kCount + 1];  // one more: an array may not be empty
    size_t count = kCount;
    void* data;
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
    int32_t words[kCount + 1];
    for (size_t i = 0; i < kCount; i++) {
      words[i] = 0;
      napi_get_value_int32(env, values[i], &words[i]);
    }
    int32_t rc = -ESTALE;
    if (!fd_table::is_forked) {
      rc = FromWords(*static_cast<State*>(data), words, std::index_sequence_for<A...>());
    }
    napi_value result;
    napi_create_int32(env, rc, &result);
    return result;
  }

 private:
  template <size_t... I>
  static int32_t FromRegisters(State& state, std::index_sequence<I...>) {
    return F(state, state.registers[I]...);
  }
  template <size_t... I>
  static int32_t FromWords(State& state, const int32_t* words, std::index_sequence<I...>) {
    (void)words;
    return F(state, words[I]...);
  }
};

inline int32_t Int(napi_env env, napi_value value) {
  int32_t number = 0;
  napi_get_value_int32(env, value, &number);
  return number;
}

// The same for functions that take something else than numbers, N values.
template <int32_t (*F)(State&, napi_env, napi_value*), size_t N>
napi_value CallOnValues(napi_env env, napi_callback_info info) {
  napi_value values[N];
  size_t count = N;
  void* data;
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  const int32_t rc = fd_table::is_forked ? -ESTALE : F(*static_cast<State*>(data), env, values);
  napi_value result;
  napi_create_int32(env, rc, &result);
  return result;
}

}  // namespace genpoll

#endif  // GENPOLL_CALL_H_
