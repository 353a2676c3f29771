// Service: the process that serves one connection to its end. It is forked for that and owns nothing that outlasts it,
// so a slow, silent or hostile client is in nobody's way, and what it was about goes with it.
#pragma once

#include <string>

#include "isolated/peer.h"

namespace isolate {

struct ServiceSettings {
  std::string store;  // the main one: a directory
  pid_t daemon = 0;
  std::size_t connections = 0;  // that are served or wait now
  std::size_t waiting = 0;
};

// The exit status of the process.
int serve(Fd connection, const Peer& peer, const ServiceSettings& settings);

}  // namespace isolate
