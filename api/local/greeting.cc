#include "api/local/greeting.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

#include "dataplane/base/bytes.h"

namespace godwit::local {
namespace {

constexpr std::string_view kMagic = "GDWTLOC1";
static_assert(kMagic.size() == 8);

}  // namespace

ClientGreeting make_client_greeting() {
  ClientGreeting greeting{};
  ByteWriter out(greeting);
  out.bytes(as_bytes(kMagic));
  out.u32(kLayoutVersion);
  return greeting;
}

bool accepts(const ClientGreeting& greeting) {
  ByteReader in(greeting);
  return as_text(in.bytes(kMagic.size())) == kMagic && in.u32() == kLayoutVersion;
}

GatewayGreeting make_gateway_greeting(const std::optional<ChannelShape>& shape) {
  GatewayGreeting greeting{};
  ByteWriter out(greeting);
  out.bytes(as_bytes(kMagic));
  out.u32(shape ? kLayoutVersion : 0);
  out.u32(0);
  out.u64(shape ? shape->to_gateway_bytes : 0);
  out.u64(shape ? shape->to_client_bytes : 0);
  return greeting;
}

Result<ChannelShape> read_gateway_greeting(const GatewayGreeting& greeting) {
  ByteReader in(greeting);
  const bool ours = as_text(in.bytes(kMagic.size())) == kMagic;
  const std::uint32_t version = in.u32();
  in.u32();
  ChannelShape shape;
  shape.to_gateway_bytes = in.u64();
  shape.to_client_bytes = in.u64();
  if (!ours) {
    return fail(Code::kCorrupt, "whoever answers on the socket is not a Godwit gateway");
  }
  if (version == 0) {
    return fail(Code::kFull,
                "the gateway turned the client away: too many clients, or another version");
  }
  if (version != kLayoutVersion || !shape.is_possible()) {
    return fail(Code::kUnsupported, "the gateway's channel layout {} is not known here", version);
  }
  return shape;
}

Result<void> fill_address(const char* path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length == 0 || length >= sizeof(address.sun_path)) {
    return fail(Code::kInvalid,
                "socket path '{}' must have 1 to {} bytes",
                path,
                sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path, length);
  return {};
}

bool send_greeting(int socket, const GatewayGreeting& greeting, int memory) {
  GatewayGreeting bytes = greeting;
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> ancillary{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (memory >= 0) {
    message.msg_control = ancillary.data();
    message.msg_controllen = ancillary.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &memory, sizeof(int));
  }
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

void ring_doorbell(int socket) {
  const char bell = 1;
  [[maybe_unused]] const auto sent =
      ::send(socket, &bell, sizeof(bell), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool clear_doorbell(int socket) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): nobody reads them.
  std::array<std::byte, 4096> bells;
  const ssize_t got = ::recv(socket, bells.data(), bells.size(), MSG_DONTWAIT);
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace godwit::local
