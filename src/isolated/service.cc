#include "isolated/service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/fault.h"
#include "base/log.h"
#include "base/text.h"
#include "isolated/calls.h"
#include "wire/channel.h"

namespace isolate {
namespace {

using wire::Channel;
using wire::Json;

constexpr Channel::Milliseconds kMostIdle{10'000};
constexpr Channel::Milliseconds kMostForRequest{3'000};
constexpr Channel::Milliseconds kMostForReply{5'000};

constexpr std::string_view kService = "org.varlink.service";

Answer plain_answer(const Json& parameters) { return {"", parameters.dump(), {}, false}; }

Answer service_error(const char* name, const char* key, const std::string& subject, const std::string& message) {
  const Json parameters = {{key, subject}, {"message", message}};
  return {
      fmt::format("{}.{}", kService, name), parameters.dump(-1, ' ', false, Json::error_handler_t::replace), {}, false};
}

Answer describe_interface(const Json& parameters) {
  const auto wanted = parameters.find("interface");
  if (wanted == parameters.end() || !wanted->is_string()) {
    return service_error("InvalidParameter", "parameter", "interface", "interface: expected a string");
  }
  const auto name = wanted->get<std::string>();
  if (name == kService) return plain_answer({{"description", wire::service_description()}});
  if (name == wire::kManager) return plain_answer({{"description", wire::manager_description()}});
  return service_error("InterfaceNotFound", "interface", name, "no such interface");
}

std::optional<Answer> call_service(const std::string& method, const Json& parameters) {
  if (method == "GetInterfaceDescription") return describe_interface(parameters);
  if (method != "GetInfo") return std::nullopt;
  return plain_answer({{"vendor", "isolate"},
                       {"product", "isolated"},
                       {"version", ISOLATE_VERSION},
                       {"url", ""},
                       {"interfaces", {kService, wire::kManager}}});
}

Answer answer_to(const CallContext& context, const wire::Call& call) {
  const auto parameters = wire::parse_object(call.parameters);
  if (!parameters) return service_error("InvalidParameter", "parameter", "parameters", parameters.error().message());
  std::optional<Answer> answer;
  if (call.interface == kService) {
    answer = call_service(call.method, *parameters);
  } else if (call.interface == wire::kManager) {
    answer = call_manager(context, call.method, *parameters);
  } else {
    return service_error("InterfaceNotFound", "interface", call.interface, "no such interface");
  }
  if (answer) return std::move(*answer);
  return service_error("MethodNotFound", "method", call.interface + "." + call.method, "no such method");
}

Result<void> send(Channel* channel, const Answer& answer) {
  std::string message = answer.error.empty()
                            ? fmt::format("{{\"parameters\":{}}}", answer.parameters)
                            : fmt::format("{{\"error\":\"{}\",\"parameters\":{}}}", answer.error, answer.parameters);
  std::vector<int> descriptors;
  for (const auto& descriptor : answer.descriptors) descriptors.push_back(descriptor.get());
  return channel->send(message, descriptors, kMostForReply);
}

// Serves one request. Returns false if the connection has to be closed.
Result<bool> serve_one(Channel* channel, const CallContext& context) {
  const auto message = TRY(channel->receive(kMostIdle, kMostForRequest));
  if (!message) return false;
  const auto call = wire::parse_call(*message);
  if (!call) {
    auto refused = service_error("InvalidParameter", "parameter", "method", call.error().message());
    TRY_VOID(send(channel, refused));
    return false;
  }
  if (call->interface == wire::kManager && call->method == "Lease" && channel->has_more()) {
    TRY_VOID(send(channel, error_answer("InvalidParameter", "no message may follow Lease on the same connection")));
    return false;
  }
  const auto answer = answer_to(context, *call);
  TRY_VOID(send(channel, answer));
  TRY_VOID(fault_point("answer-sent"));
  return !answer.is_last;
}

}  // namespace

int serve(Fd connection, const Peer& peer, const ServiceSettings& settings) {
  Channel channel(std::move(connection), wire::Descriptors::refuse);
  const CallContext context{peer, settings};
  while (true) {
    const auto served = serve_one(&channel, context);
    if (!served) {
      log::info(fmt::format("connection of uid {}, pid {}: {}", peer.uid, peer.pid, served.error().message()));
      return 1;
    }
    if (!*served) return 0;
  }
}

}  // namespace isolate
