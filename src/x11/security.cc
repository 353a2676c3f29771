#include "x11/security.h"

#include <fmt/format.h>
#include <sys/uio.h>
#include <xcb/xcbext.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace isolate::x11 {
namespace {

// There is no library for this extension in libxcb, so these are its requests.
xcb_extension_t extension = {"SECURITY", 0};

enum Request : std::uint8_t { kGenerate = 1, kRevoke = 2 };
enum GenerateValue : std::uint32_t { kTimeout = 1U << 0U, kTrustLevel = 1U << 1U };
constexpr std::uint32_t kUntrusted = 1;
constexpr std::string_view kKind = "MIT-MAGIC-COOKIE-1";

struct GenerateRequest {
  std::uint8_t major = 0;  // libxcb fills in these two and the length
  std::uint8_t minor = 0;
  std::uint16_t length = 0;
  std::uint16_t kind_length = kKind.size();
  std::uint16_t data_length = 0;  // the server chooses the cookie
  std::uint32_t values = kTimeout | kTrustLevel;
  std::array<char, (kKind.size() + 3) / 4 * 4> kind{};
  std::uint32_t timeout = 0;
  std::uint32_t trust_level = kUntrusted;
};
struct GenerateReply {
  std::uint8_t type;
  std::uint8_t unused;
  std::uint16_t sequence;
  std::uint32_t length;  // of the cookie, in units of 4 bytes
  std::uint32_t id;
  std::uint16_t data_length;  // of the cookie, in bytes
  std::array<std::uint8_t, 18> unused_2;
};
static_assert(sizeof(GenerateRequest) == 40 && sizeof(GenerateReply) == 32);

struct RevokeRequest {
  std::uint8_t major = 0;
  std::uint8_t minor = 0;
  std::uint16_t length = 0;
  std::uint32_t id = 0;
};

template <typename Type>
using FreedByC = std::unique_ptr<Type, decltype(&::free)>;

unsigned send(xcb_connection_t* connection, void* request, std::size_t size, Request opcode, bool has_reply) {
  // libxcb uses the two parts before the first one for itself.
  std::array<iovec, 3> parts = {{{}, {}, {request, size}}};
  const xcb_protocol_request_t kind = {1, &extension, opcode, static_cast<std::uint8_t>(has_reply ? 0 : 1)};
  return ::xcb_send_request(connection, XCB_REQUEST_CHECKED, &parts[2], &kind);
}

Error refusal(const char* what, const xcb_generic_error_t* error) {
  return Error(error == nullptr ? fmt::format("{}: the X server has closed the connection", what)
                                : fmt::format("{}: the X server refuses this with error {}", what, error->error_code));
}

}  // namespace

Result<Connection> introduce(Fd socket, const XCookie& cookie) {
  auto kind = cookie.kind;
  auto bytes = cookie.bytes;
  xcb_auth_info_t proof = {static_cast<int>(kind.size()), kind.data(), static_cast<int>(bytes.size()), bytes.data()};
  Connection connection(::xcb_connect_to_fd(socket.release(), bytes.empty() ? nullptr : &proof), &::xcb_disconnect);
  if (::xcb_connection_has_error(connection.get()) != 0) return fail("the X server refuses the connection");
  return connection;
}

Result<void> check_security(xcb_connection_t* connection) {
  const auto* data = ::xcb_get_extension_data(connection, &extension);
  if (data != nullptr && data->present != 0) return {};
  return fail(
      "the X server can't make untrusted cookies, because it has no SECURITY extension (Xwayland lacks it, and other "
      "servers may have it switched off); use --x11=nested");
}

Result<Authorization> make_untrusted(xcb_connection_t* connection, std::uint32_t seconds) {
  GenerateRequest request;
  kKind.copy(request.kind.data(), kKind.size());
  request.timeout = seconds;
  const auto sequence = send(connection, &request, sizeof request, kGenerate, true);
  xcb_generic_error_t* error = nullptr;
  const FreedByC<void> memory(::xcb_wait_for_reply(connection, sequence, &error), &::free);
  const FreedByC<xcb_generic_error_t> error_memory(error, &::free);
  if (!memory) return fail(refusal("make an untrusted cookie", error));
  GenerateReply reply{};
  std::memcpy(&reply, memory.get(), sizeof reply);
  const auto* data = static_cast<const char*>(memory.get()) + sizeof reply;
  if (reply.data_length > std::size_t{4} * reply.length) return fail("make an untrusted cookie: malformed reply");
  return Authorization{reply.id, {std::string(kKind), std::string(data, reply.data_length)}};
}

Result<void> revoke(xcb_connection_t* connection, std::uint32_t id) {
  RevokeRequest request;
  request.id = id;
  const auto sequence = send(connection, &request, sizeof request, kRevoke, false);
  const FreedByC<xcb_generic_error_t> error(::xcb_request_check(connection, {sequence}), &::free);
  // A closed connection is no error here, because a server that has ended has forgotten the cookie.
  if (error) return fail(refusal("revoke the untrusted cookie", error.get()));
  return {};
}

}  // namespace isolate::x11
