// Messages: bytes from several buffers, descriptors that come along with them, and datagrams by the
// batch.

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include "call.h"
#include "fd_table.h"
#include "syscall.h"

namespace genpoll {

namespace {

// The kernel's own limits: IOV_MAX, SCM_MAX_FD, UIO_MAXIOV.
constexpr uint32_t kMaxBuffers = 1024;
constexpr size_t kMaxFds = 253;  // one more can be asked for, and is refused
constexpr int32_t kMaxMessages = 1024;
constexpr int kScmPidfd = 4;  // a descriptor that SO_PASSPIDFD adds

struct Buffers {
  iovec vectors[kMaxBuffers];
  uint32_t count;
  bool is_whole;  // not if the worker was terminated meanwhile

  Buffers(napi_env env, napi_value array) {
    uint32_t length = 0;
    is_whole = napi_get_array_length(env, array, &length) == napi_ok;
    length = std::min(length, kMaxBuffers);
    for (count = 0; is_whole && count < length; count++) {
      napi_value view;
      is_whole = napi_get_element(env, array, count, &view) == napi_ok;
      if (!is_whole) break;
      const Pinned memory = MemoryOf(env, view);
      vectors[count] = {memory.data, memory.length};
    }
  }
};

template <typename F>
int32_t Retried(F call) {
  int32_t rc;
  do {
    rc = call();
  } while (rc == -EINTR);
  return rc;
}

int32_t Writev(State&, napi_env env, napi_value* values) {
  const Buffers buffers(env, values[1]);
  if (!buffers.is_whole) return -ECANCELED;
  const int32_t fd = Int(env, values[0]);
  return Retried([&] { return Syscall(SYS_writev, fd, buffers.vectors, buffers.count); });
}

// [fd, flags, length of the address in the scratch memory, buffers, descriptors]
int32_t Sendmsg(State& state, napi_env env, napi_value* values) {
  Buffers buffers(env, values[3]);
  if (!buffers.is_whole) return -ECANCELED;
  const Pinned fds = MemoryOf(env, values[4]);
  const size_t fd_bytes = std::min(fds.length, (kMaxFds + 1) * sizeof(int32_t));
  alignas(cmsghdr) uint8_t control[CMSG_SPACE((kMaxFds + 1) * sizeof(int32_t))] = {};
  msghdr message = {};
  const auto name_length = static_cast<socklen_t>(Int(env, values[2]));
  if (name_length > 0) {
    message.msg_name = state.address;
    message.msg_namelen = name_length;
  }
  message.msg_iov = buffers.vectors;
  message.msg_iovlen = buffers.count;
  if (fd_bytes > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fd_bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fd_bytes);
    memcpy(CMSG_DATA(header), fds.data, fd_bytes);
  }
  const int32_t fd = Int(env, values[0]);
  const int32_t flags = Int(env, values[1]);
  return Retried([&] { return Syscall(SYS_sendmsg, fd, &message, flags); });
}

// Descriptors that came along: as many as `out` has room for are put there, the rest is closed.
int32_t Take(State& state, const cmsghdr* header, int32_t* out, size_t room) {
  const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int32_t);
  size_t taken = 0;
  for (size_t i = 0; i < count; i++) {
    int32_t fd;
    memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
    if (taken < room) {
      out[taken++] = Keep(state, fd_table::Opened(fd));
    } else {
      Syscall(SYS_close, fd);
      state.registers[1] |= MSG_CTRUNC;
    }
  }
  return static_cast<int32_t>(taken);
}

// [fd, flags, buffers, Int32Array for descriptors] → bytes; register 1: MSG_ flags, 2: how many
// descriptors came, 3: the length of the sender's address, in the scratch memory, 4: how many
// control messages were of another kind.
int32_t Recvmsg(State& state, napi_env env, napi_value* values) {
  Buffers buffers(env, values[2]);
  if (!buffers.is_whole) return -ECANCELED;
  const Pinned out = MemoryOf(env, values[3]);
  // Room for credentials and time stamps as well, so that they don't cost descriptors.
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kMaxFds * sizeof(int32_t)) + 256];
  msghdr message = {};
  const int32_t fd = Int(env, values[0]);
  const int32_t flags = Int(env, values[1]);
  const int32_t rc = Retried([&] {
    message.msg_name = state.address;
    message.msg_namelen = kAddressBytes;
    message.msg_iov = buffers.vectors;
    message.msg_iovlen = buffers.count;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    return Syscall(SYS_recvmsg, fd, &message, flags);
  });
  if (rc < 0) return rc;
  int32_t* registers = state.registers;
  registers[1] = message.msg_flags;
  registers[2] = registers[4] = 0;
  registers[3] = static_cast<int32_t>(std::min<size_t>(message.msg_namelen, kAddressBytes));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      auto* fds = reinterpret_cast<int32_t*>(out.data);
      registers[2] += Take(state, header, fds + registers[2],
                           out.length / sizeof(int32_t) - static_cast<size_t>(registers[2]));
    } else {
      if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == kScmPidfd) {
        Take(state, header, nullptr, 0);
      }
      registers[4]++;
    }
  }
  return rc;
}

// A datagram of a batch, in the pinned buffer (lib/net/batch.ts has the same layout): the records
// come first, then room of `stride` bytes for each one's data.
struct Record {
  uint32_t length;
  uint16_t address_length;
  uint16_t is_truncated;
  uint8_t address[120];
};
static_assert(sizeof(Record) == 128);

struct Batch {
  mmsghdr headers[kMaxMessages];
  iovec vectors[kMaxMessages];
  Record* records;
  int32_t count = -EINVAL;  // where the memory isn't what was said

  // Of the datagrams from `first` on, `length` bytes each; or as many as their records say.
  Batch(const State& state, int32_t capacity, int32_t stride, int32_t first, int32_t end,
        bool is_sent) {
    const auto slots = static_cast<size_t>(capacity);
    const auto room = static_cast<size_t>(stride);
    const bool is_aligned = reinterpret_cast<uintptr_t>(state.buffer.data) % alignof(Record) == 0;
    if (!is_aligned || capacity < 0 || capacity > kMaxMessages || stride < 0 || first < 0 ||
        end > capacity || state.buffer.length < slots * (sizeof(Record) + room)) {
      return;
    }
    count = 0;
    records = reinterpret_cast<Record*>(state.buffer.data) + first;
    uint8_t* data = state.buffer.data + slots * sizeof(Record) + first * room;
    for (int32_t i = first; i < end; i++, count++, data += room) {
      Record& record = records[count];
      const size_t length = is_sent ? std::min<size_t>(record.length, room) : room;
      const size_t name = is_sent ? record.address_length : sizeof record.address;
      vectors[count] = {data, length};
      headers[count] = {};
      msghdr& message = headers[count].msg_hdr;
      message.msg_iov = &vectors[count];
      message.msg_iovlen = 1;
      if (name == 0) continue;
      message.msg_name = record.address;
      message.msg_namelen = static_cast<socklen_t>(std::min(name, sizeof record.address));
    }
  }
};

int32_t Recvmmsg(State& state, int32_t fd, int32_t capacity, int32_t stride, int32_t flags) {
  Batch batch(state, capacity, stride, 0, capacity, false);
  if (batch.count < 0) return batch.count;
  const int32_t rc = Retried(
      [&] { return Syscall(SYS_recvmmsg, fd, batch.headers, batch.count, flags, nullptr); });
  for (int32_t i = 0; i < rc; i++) {
    const mmsghdr& header = batch.headers[i];
    Record& record = batch.records[i];
    record.length = header.msg_len;
    record.address_length =
        static_cast<uint16_t>(std::min<size_t>(header.msg_hdr.msg_namelen, sizeof(sockaddr_un)));
    record.is_truncated = (header.msg_hdr.msg_flags & MSG_TRUNC) != 0;
  }
  return rc;
}

int32_t Sendmmsg(State& state, int32_t fd, int32_t capacity, int32_t stride, int32_t first,
                 int32_t end, int32_t flags) {
  Batch batch(state, capacity, stride, first, end, true);
  if (batch.count < 0) return batch.count;
  return Retried([&] { return Syscall(SYS_sendmmsg, fd, batch.headers, batch.count, flags); });
}

}  // namespace

const Export kMessageExports[] = {
    {"writev", CallOnValues<Writev, 2>},       {"sendmsg", CallOnValues<Sendmsg, 5>},
    {"recvmsg", CallOnValues<Recvmsg, 4>},     {"recvmmsg", Call<Recvmmsg>::ByArguments},
    {"sendmmsg", Call<Sendmmsg>::ByArguments}, {nullptr, nullptr},
};

}  // namespace genpoll
