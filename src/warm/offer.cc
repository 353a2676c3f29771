#include "warm/offer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/file.h"
#include "linux/sealed_file.h"
#include "linux/socket.h"
#include "warm/profile.h"
#include "wire/warm_protocol.h"

namespace isolate {
namespace {

using namespace warm_protocol;

Result<void> check_form(const ReceivedMessage& received) {
  if (received.bytes != kMark) return fail("it does not begin with the expected mark");
  return received.descriptors.size() == 1 ? Result<void>() : fail("it has the wrong number of descriptors");
}

void send_refusal(int connection, const Error& reason) {
  const auto text = std::string(kRefused) + reason.message();
  [[maybe_unused]] auto sent = send_message(connection, text.substr(0, kMostAnswerBytes));
}

Result<TakenBy> taken_by(const Fd& connection, ReceivedMessage received, const std::string& profile) {
  TRY_VOID(check_form(received));
  auto request = TRY(begin_request_from(TRY(read_sealed_file(received.descriptors[0], kMostRequestBytes))));
  if (request.profile != profile) return fail("the guest was made in another way");
  auto process = TRY(HeldProcess::open(TRY(socket_peer(connection.get())).pid));
  Fd kept(::fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
  RemoteCaller caller(std::move(kept), std::move(process), request.signals.blocked, request.leads_session);
  return TakenBy{std::move(request), {}, Fd(), std::move(caller)};
}

}  // namespace

Result<WarmOffer> WarmOffer::open(RunsDirectory place, const std::string& profile, const std::string& clone_id) {
  const auto directory_name = name_of_profile(profile);
  const int parent = place.directory.get();
  // Another guest may end and remove the directory just now.
  while (true) {
    if (::mkdirat(parent, directory_name.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail(errno, "make " + directory_name);
    }
    auto directory = open_file(parent, directory_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (directory) remove_dead_sockets(*directory);
    auto name = warm_socket_name(clone_id, ::getpid());
    auto socket = directory ? listen_in(*directory, name) : fail(directory.error());
    if (socket) {
      auto sources = TRY(Epoll::make());
      TRY_VOID(sources.add(socket->get(), EPOLLIN));
      return WarmOffer(std::move(place), std::move(*directory), std::move(*socket), std::move(sources), profile,
                       std::move(name));
    }
    if (socket.error().code() != ENOENT) return fail(std::move(socket).error());
  }
}

WarmOffer::~WarmOffer() {
  if (!directory_) return;
  ::unlinkat(directory_.get(), name_.c_str(), 0);
  // Both fail if the directory is in use.
  ::unlinkat(place_.directory.get(), name_of_profile(profile_).c_str(), AT_REMOVEDIR);
  if (!place_.path_to_remove.empty()) ::rmdir(place_.path_to_remove.c_str());
}

void WarmOffer::accept_one() {
  constexpr std::size_t kMostWaiting = 7;
  Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection) return;
  // A guest with the same user id is in another pid namespace.
  const auto peer = socket_peer(connection.get());
  if (!peer || peer->uid != ::getuid() || !shares_pid_namespace(connection.get(), *peer)) return;
  if (waiting_.size() == kMostWaiting) waiting_.pop_front();
  if (sources_.add(connection.get(), EPOLLIN)) waiting_.push_back(std::move(connection));
}

std::optional<TakenBy> WarmOffer::receive() {
  accept_one();
  std::deque<Fd> silent;
  std::optional<TakenBy> taken;
  for (auto& connection : waiting_) {
    auto received = taken ? fail(EAGAIN, "later") : receive_message(connection.get(), kMark.size());
    if (!received && received.error().code() == EAGAIN) {
      silent.push_back(std::move(connection));
      continue;
    }
    if (!received || received->bytes.empty()) continue;
    auto by = taken_by(connection, std::move(*received), profile_);
    if (!by) send_refusal(connection.get(), by.error());
    if (by) taken.emplace(std::move(*by));
  }
  waiting_ = std::move(silent);
  return taken;
}

bool WarmOffer::is_in_place() const {
  const auto directory = name_of_profile(profile_);
  struct stat there {};
  struct stat own {};
  return ::fstatat(place_.directory.get(), (directory + "/" + name_).c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         ::fstatat(directory_.get(), name_.c_str(), &own, AT_SYMLINK_NOFOLLOW) == 0 && there.st_ino == own.st_ino;
}

Result<void> WarmOffer::accept(TakenBy* taken) {
  constexpr int kPatience = 5000;  // milliseconds
  const int run = taken->caller.fd();
  TRY_VOID(send_message(run, kTaken));
  if (!TRY(wait_readable(run, kPatience))) return fail("the run has not sent its streams");
  auto received = TRY(receive_message(run, kStreams.size()));
  auto& given = received.descriptors;
  const bool has_status = given.size() == kNeededDescriptors + 1;
  if (received.bytes != kStreams || (given.size() != kNeededDescriptors && !has_status)) return fail("no streams came");
  taken->streams = {std::move(given[kInput]), std::move(given[kOutput]), std::move(given[kError])};
  if (has_status) taken->status = std::move(given[kStatus]);
  return {};
}

void WarmOffer::refuse(const TakenBy& taken, const Error& reason) { send_refusal(taken.caller.fd(), reason); }

}  // namespace isolate
