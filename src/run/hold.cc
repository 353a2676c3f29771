#include "run/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/trace.h"
#include "join/exec_listener.h"
#include "linux/epoll.h"
#include "linux/file.h"
#include "linux/interval_timer.h"
#include "request/store_path.h"
#include "warm/offer.h"
#include "warm/profile.h"
#include "wire/init_protocol.h"

namespace isolate {
namespace {

constexpr std::chrono::seconds kLookInterval{10};

// The descriptors that wake a process while it waits for a run.
struct WakeUps {
  IntervalTimer timer;
  Epoll all;  // a run asks for the guest, nobody reads the status any more, or the timer
};

Result<WakeUps> watch(const WarmOffer& offer, int status) {
  auto timer = TRY(IntervalTimer::each(kLookInterval));
  auto all = TRY(Epoll::make());
  WakeUps wake_ups{std::move(timer), std::move(all)};
  TRY_VOID(wake_ups.all.add(offer.fd(), EPOLLIN));
  TRY_VOID(wake_ups.all.add(wake_ups.timer.fd(), EPOLLIN));
  // A file has no reader whose end could be waited for.
  if (status >= 0) static_cast<void>(wake_ups.all.add(status, EPOLLRDHUP));
  return wake_ups;
}

bool has_lost_reader(const WakeUps& wake_ups) {
  const auto events = wake_ups.all.ready();
  return std::any_of(events.begin(), events.end(),
                     [](const auto& event) { return (event.events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0; });
}

void put_in_place_of_streams(const std::array<int, 3>& descriptors) {
  for (std::size_t i = 0; i < descriptors.size(); ++i) ::dup2(descriptors[i], static_cast<int>(i));
}

// Writes the content of the file to standard error.
void copy_messages(const Fd& messages) {
  ::lseek(messages.get(), 0, SEEK_SET);
  if (const auto text = read_all(messages.get())) {
    [[maybe_unused]] auto written = write_all(STDERR_FILENO, *text, "standard error");
  }
}

// Waits until a run takes the guest. Returns nothing if the guest has ended, or no run will take it.
Result<std::optional<TakenBy>> wait_for_run(const HeldGuest::Parts& parts, WarmOffer* offer, const RunRequest& request,
                                            const std::string& profile, int status) {
  const auto wake_ups = TRY(watch(*offer, status));
  while (TRY(parts.supervisor->wait_for(wake_ups.all.fd()))) {
    if (has_lost_reader(wake_ups)) return std::nullopt;
    // The places that are shown to the guest may lead to something else by now. Then no run would take it.
    if (wake_ups.timer.has_elapsed() && (!offer->is_in_place() || warm_profile(request).value_or("") != profile))
      return std::nullopt;
    auto taken = offer->receive();
    if (!taken) continue;
    const auto is_newest = parts.provider->is_newest();
    // The daemon may not run just now. The next run asks again.
    if (!is_newest) {
      WarmOffer::refuse(*taken, is_newest.error());
      continue;
    }
    if (!*is_newest) {
      WarmOffer::refuse(*taken, Error("the template has a newer generation"));
      return std::nullopt;
    }
    if (WarmOffer::accept(&*taken)) return std::optional(std::move(*taken));
  }
  return std::nullopt;
}

}  // namespace

Result<void> HeldGuest::prepare(const RunRequest& request) {
  TRY_VOID(check_can_be_warm(request));
  profile = TRY(warm_profile(request));
  // The keys of a terminal are not for the runs that take guests. This fails if the process leads a group already.
  ::setsid();

  own_error = Fd(static_cast<int>(TRY(trace::check(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), "dup", "stderr"))));
  messages =
      Fd(static_cast<int>(TRY(trace::check(::memfd_create("isolate-messages", MFD_CLOEXEC), "memfd_create", ""))));
  const auto null = TRY(open_file(AT_FDCWD, "/dev/null", O_RDWR));
  put_in_place_of_streams({null.get(), null.get(), messages.get()});
  log::set_up("isolate", true);  // a run that takes the guest needs no progress messages
  return {};
}

void HeldGuest::print_messages() {
  if (!messages) return;
  ::dup2(own_error.get(), STDERR_FILENO);
  copy_messages(std::exchange(messages, Fd()));
}

Result<bool> HeldGuest::wait_until_taken(const Parts& parts, RunRequest* request, StatusStream* status) {
  const auto store = TRY(store_path(request->store, facts.caller));
  const auto open_once = [&]() -> Result<WarmOffer> {
    return WarmOffer::open(TRY(open_runs_directory(facts.caller, store)), profile, parts.clone_id);
  };
  auto opened = open_once();
  // Another run may have ended and removed the directory just now.
  const bool is_gone = !opened && opened.error().code() == ENOENT;
  auto offer = TRY(is_gone ? open_once() : std::move(opened));
  status->report_ready(parts.clone_id);
  auto taken = TRY(wait_for_run(parts, &offer, *request, profile, status->fd()));
  if (!taken) return false;
  status->report_taken(parts.clone_id);
  if (request->status_fd > STDERR_FILENO) ::close(request->status_fd);
  const auto& streams = taken->streams;
  put_in_place_of_streams({streams[0].get(), streams[1].get(), streams[2].get()});
  caller.emplace(std::move(taken->caller));
  copy_messages(std::exchange(messages, Fd()));
  own_error.reset();
  log::set_up("isolate", taken->request.quiet);
  facts.signals = taken->request.signals;
  facts.umask = taken->request.umask;
  facts.term = taken->request.term;
  *request = request_for(taken->request, *request);
  *status = TRY(StatusStream::take(std::move(taken->status)));
  return true;
}

std::optional<GuestStreams::OtherSignals> HeldGuest::other_signals(bool ignore_interrupt) {
  if (!caller || caller->is_gone()) return std::nullopt;
  return GuestStreams::OtherSignals{caller->fd(), [this, ignore_interrupt] {
                                      const auto signal = caller->read();
                                      if (caller->is_gone()) return SIGKILL;
                                      if (!signal) return 0;
                                      if (signal->number == SIGTSTP) caller->stop();
                                      const bool is_ignored = signal->number == SIGINT && ignore_interrupt;
                                      return protocol::asks_for_end(signal->number) && !is_ignored ? signal->number : 0;
                                    }};
}

void HeldGuest::end(int exit_status) {
  // A program that reads the output waits until no process has it open, so close it before the run ends.
  if (const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC)); null) {
    put_in_place_of_streams({null.get(), null.get(), null.get()});
  }
  caller->end(exit_status);
}

}  // namespace isolate
