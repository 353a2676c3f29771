#include "init/report.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

namespace isolate::init {

using namespace protocol;

namespace {

void send_report(int socket, Kind kind, int value, int flags) {
  const Message message{kind, value};
  [[maybe_unused]] auto sent = ::send(socket, &message, sizeof message, flags);
}

}  // namespace

void report(int socket, Kind kind, int value) { send_report(socket, kind, value, MSG_NOSIGNAL); }

void report_at_once(int socket, Kind kind, int value) { send_report(socket, kind, value, MSG_NOSIGNAL | MSG_DONTWAIT); }

int report_with(int socket, Kind kind, int descriptor) {
  Message message{kind, 0};
  iovec data = {&message, sizeof message};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof descriptor)] = {};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof descriptor);
  memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  return ::sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? errno : 0;
}

ssize_t receive(int socket, Received* received) {
  *received = {};
  iovec data = {&received->message, sizeof received->message};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof received->descriptors)] = {};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof space;
  const ssize_t got = ::recvmsg(socket, &header, MSG_TRUNC | MSG_CMSG_CLOEXEC);
  const cmsghdr* control = got < 0 ? nullptr : CMSG_FIRSTHDR(&header);
  if (control != nullptr && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
    // CMSG_SPACE rounds up, so the buffer may have room for one descriptor more than was asked for. Close that one.
    const auto came = static_cast<unsigned>((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (unsigned i = 0; i < came; ++i) {
      int descriptor = -1;
      memcpy(&descriptor, CMSG_DATA(control) + i * sizeof descriptor, sizeof descriptor);
      if (received->count < kExecDescriptors) {
        received->descriptors[received->count++] = descriptor;
      } else {
        ::close(descriptor);
      }
    }
  }
  return got;
}

bool is_sealed(int file) {
  const int seals = ::fcntl(file, F_GET_SEALS);
  return seals >= 0 && (seals & kSetupSeals) == kSetupSeals;
}

void close_descriptors(const Received& received) {
  for (unsigned i = 0; i < received.count; ++i) ::close(received.descriptors[i]);
}

}  // namespace isolate::init
