// Service: the process that serves one connection. It is forked for that connection and owns nothing that outlives it.
// So a slow, silent or hostile client delays nobody else, and its unfinished work ends with it.
#pragma once

#include <string>

#include "isolated/peer.h"

namespace isolate {

struct ServiceSettings {
  std::string store;  // the main store, a directory
  pid_t daemon = 0;
  std::size_t connections = 0;  // connections that are served or wait now
  std::size_t waiting = 0;
};

// Serves the connection until it is closed. Returns the exit status of the process.
int serve(Fd connection, const Peer& peer, const ServiceSettings& settings);

}  // namespace isolate
