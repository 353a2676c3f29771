// Addresses of D-Bus message buses (D-Bus specification, "Server Addresses"), as far as they name Unix sockets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace isolate {

enum class BusKind { session, system };
const char* name_of(BusKind bus);

// Returns the Unix sockets of a list of addresses, in its order: a path, or '@' and the name of an abstract socket.
// Other kinds of addresses are left out. Errors: plain text: an address has another form.
Result<std::vector<std::string>> sockets_of_addresses(std::string_view addresses);
// Returns the address of such a socket.
std::string address_of_socket(std::string_view socket);

struct BusPlace {
  std::vector<std::string> sockets;  // to be tried in this order
  std::string found_by;              // the variable or the path, for messages
};
// Where this process's environment says that the bus is. Errors: plain text.
Result<BusPlace> place_of_bus(BusKind bus);

}  // namespace isolate
