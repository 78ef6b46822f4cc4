// Socket addresses: text and port on one side, the kernel's `sockaddr` on the other. Both stand in
// the scratch memory that JavaScript and C++ share, the one in the place of the other.

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "call.h"

namespace genpoll {

namespace {

constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);
static_assert(sizeof(sockaddr_un) <= kAddressBytes);

// fe80::1%eth0, fe80::1%2: the part behind the % is the interface.
bool ParseScope(char* text, uint32_t* scope) {
  char* name = strchr(text, '%');
  if (name == nullptr) return true;
  *name++ = '\0';
  char* end;
  const unsigned long number = strtoul(name, &end, 10);
  const bool is_number = end != name && *end == '\0';
  if (is_number && number > UINT32_MAX) return false;
  *scope = is_number ? static_cast<uint32_t>(number) : if_nametoindex(name);
  return *scope != 0;
}

// The text in the scratch memory → the length of the address that replaces it.
int32_t AddressParse(State& state, int32_t family, int32_t port, int32_t length) {
  if (length < 0 || length >= static_cast<int32_t>(kAddressBytes)) return -ENAMETOOLONG;
  char text[kAddressBytes];
  memcpy(text, state.address, length);
  text[length] = '\0';
  if (family == AF_UNIX) {
    sockaddr_un address = {};
    if (static_cast<size_t>(length) > sizeof address.sun_path) return -ENAMETOOLONG;
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, text, length);
    memcpy(state.address, &address, sizeof address);
    return static_cast<int32_t>(kPathOffset) + length;
  }
  if (family == AF_INET) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1) return -EINVAL;
    memcpy(state.address, &address, sizeof address);
    return sizeof address;
  }
  if (family != AF_INET6) return -EAFNOSUPPORT;
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<uint16_t>(port));
  if (!ParseScope(text, &address.sin6_scope_id)) return -ENODEV;
  if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1) return -EINVAL;
  memcpy(state.address, &address, sizeof address);
  return sizeof address;
}

// The address in the scratch memory → its family, if it is one of these; its port in register 1,
// the length of the text that replaces it in register 2.
int32_t AddressFormat(State& state, int32_t length) {
  sockaddr_storage storage = {};
  memcpy(&storage, state.address, std::min<size_t>(std::max(length, 0), kAddressBytes));
  auto* text = reinterpret_cast<char*>(state.address);
  state.registers[1] = state.registers[2] = 0;
  // One without a name has no more than its family, if that.
  if (length <= static_cast<int32_t>(kPathOffset)) return AF_UNIX;
  if (storage.ss_family == AF_UNIX) {
    const auto& address = reinterpret_cast<const sockaddr_un&>(storage);
    size_t size = std::min<size_t>(length - kPathOffset, sizeof address.sun_path);
    // A path ends at its NUL, an abstract name begins with one and has its own length.
    if (address.sun_path[0] != '\0') size = strnlen(address.sun_path, size);
    memcpy(text, address.sun_path, size);
    state.registers[2] = static_cast<int32_t>(size);
  } else if (storage.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &address.sin_addr, text, kAddressBytes);
    state.registers[1] = ntohs(address.sin_port);
    state.registers[2] = static_cast<int32_t>(strlen(text));
  } else if (storage.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &address.sin6_addr, text, kAddressBytes);
    const uint32_t scope = address.sin6_scope_id;
    char name[IF_NAMESIZE];
    const char* found = scope == 0 ? nullptr : if_indextoname(scope, name);
    char* end = text + strlen(text);
    const size_t room = text + kAddressBytes - end;
    if (found != nullptr) {
      snprintf(end, room, "%%%s", found);
    } else if (scope != 0) {
      snprintf(end, room, "%%%u", scope);
    }
    state.registers[1] = ntohs(address.sin6_port);
    state.registers[2] = static_cast<int32_t>(strlen(text));
  } else {
    return -EAFNOSUPPORT;
  }
  return storage.ss_family;
}

}  // namespace

const Export kAddressExports[] = {
    {"address_parse", Call<AddressParse>::ByArguments},
    {"address_format", Call<AddressFormat>::ByArguments},
    {nullptr, nullptr},
};

}  // namespace genpoll
