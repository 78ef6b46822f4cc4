// Sockets: making, naming and connecting them, and their options.

#include <sys/socket.h>

#include <algorithm>

#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

int32_t Socket(State& state, int32_t domain, int32_t type, int32_t protocol) {
  return Keep(state, fd_table::Opened(Syscall(SYS_socket, domain, type, protocol)));
}

int32_t Socketpair(State& state, int32_t domain, int32_t type, int32_t protocol) {
  int32_t* fds = &state.registers[1];
  const int32_t rc = Syscall(SYS_socketpair, domain, type, protocol, fds);
  if (rc < 0) return rc;
  for (int i = 0; i < 2; i++) Keep(state, fd_table::Opened(fds[i]));
  return 0;
}

// The address stands in the scratch memory, here and below.
int32_t Bind(State& state, int32_t fd, int32_t length) {
  return Syscall(SYS_bind, fd, state.address, length);
}

int32_t Listen(State&, int32_t fd, int32_t backlog) { return Syscall(SYS_listen, fd, backlog); }

int32_t Accept4(State& state, int32_t fd, int32_t flags) {
  int32_t rc;
  do {
    rc = Syscall(SYS_accept4, fd, nullptr, nullptr, flags);
  } while (rc == -EINTR);
  return Keep(state, fd_table::Opened(rc));
}

// Unix sockets begin anew after EINTR. Of others the kernel goes on connecting, and a second call
// says EALREADY.
int32_t Connect(State& state, int32_t fd, int32_t length) {
  const bool is_unix = reinterpret_cast<const sockaddr*>(state.address)->sa_family == AF_UNIX;
  int32_t rc;
  do {
    rc = Syscall(SYS_connect, fd, state.address, length);
  } while (rc == -EINTR && is_unix);
  return rc == -EINTR ? -EINPROGRESS : rc;
}

int32_t Shutdown(State&, int32_t fd, int32_t how) { return Syscall(SYS_shutdown, fd, how); }

template <long Number>
int32_t Name(State& state, int32_t fd) {
  socklen_t length = kAddressBytes;
  const int32_t rc = Syscall(Number, fd, state.address, &length);
  return rc < 0 ? rc : static_cast<int32_t>(std::min<size_t>(length, kAddressBytes));
}

int32_t GetsockoptInt(State& state, int32_t fd, int32_t level, int32_t name) {
  socklen_t length = sizeof(int32_t);
  state.registers[1] = 0;
  return Syscall(SYS_getsockopt, fd, level, name, &state.registers[1], &length);
}

int32_t SetsockoptInt(State&, int32_t fd, int32_t level, int32_t name, int32_t value) {
  return Syscall(SYS_setsockopt, fd, level, name, &value, sizeof value);
}

// The value stands in the pinned buffer.
int32_t Getsockopt(State& state, int32_t fd, int32_t level, int32_t name) {
  auto length = static_cast<socklen_t>(std::min<size_t>(state.buffer.length, INT32_MAX));
  const int32_t rc = Syscall(SYS_getsockopt, fd, level, name, state.buffer.data, &length);
  return rc < 0 ? rc : static_cast<int32_t>(length);
}

int32_t Setsockopt(State& state, int32_t fd, int32_t level, int32_t name) {
  const size_t length = std::min<size_t>(state.buffer.length, INT32_MAX);
  return Syscall(SYS_setsockopt, fd, level, name, state.buffer.data, length);
}

}  // namespace

const Export kSocketExports[] = {
    {"socket", Call<Socket>::ByArguments},
    {"socketpair", Call<Socketpair>::ByArguments},
    {"bind", Call<Bind>::ByArguments},
    {"listen", Call<Listen>::ByArguments},
    {"accept4", Call<Accept4>::ByArguments},
    {"connect", Call<Connect>::ByArguments},
    {"shutdown", Call<Shutdown>::ByArguments},
    {"getsockname", Call<Name<SYS_getsockname>>::ByArguments},
    {"getpeername", Call<Name<SYS_getpeername>>::ByArguments},
    {"getsockopt_int", Call<GetsockoptInt>::ByArguments},
    {"setsockopt_int", Call<SetsockoptInt>::ByArguments},
    {"getsockopt", Call<Getsockopt>::ByArguments},
    {"setsockopt", Call<Setsockopt>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
