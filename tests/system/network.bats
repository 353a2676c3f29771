# identities: root user
# engines: bwrap lxc
# The network: lo and nothing else, unless -n shares the host's.

load helpers

# A server of ours on the loopback device and on an abstract socket; both answer with the mark.
start_server() {
  PORT_FILE=$SCRATCH/port
  /usr/bin/python3 - "$MARK" "$PORT_FILE" <<'END' 3>&- &
import os, select, socket, sys
mark, port_file = sys.argv[1:]
tcp = socket.create_server(("127.0.0.1", 0))
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\0isolate-test-" + mark)
abstract.listen()
with open(port_file + ".new", "w") as file:
    file.write(str(tcp.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    for server in select.select([tcp, abstract], [], [], 60)[0] or sys.exit():
        connection, _ = server.accept()
        connection.sendall(("served " + mark).encode())
        connection.close()
END
  STARTED+=($!)
  wait_until 10 test -s "$PORT_FILE"
  PORT=$(cat "$PORT_FILE")
}

TCP_CLIENT='use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0);
  connect($s, sockaddr_in($ARGV[0], inet_aton("127.0.0.1"))) or die "no connection: $!"; print <$s>'
ABSTRACT_CLIENT='use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0);
  connect($s, sockaddr_un("\0isolate-test-$ARGV[0]")) or die "no connection: $!"; print <$s>'

@test "without -n there is only lo, and it works" {
  succeeds in_clone sh -c 'cut -s -d: -f1 /proc/net/dev | tail -n +1'
  [[ $(tr -d ' ' <<<"$output") == lo ]] || complain "interfaces"
  succeeds in_clone perl -e 'use Socket;
    socket(my $l, PF_INET, SOCK_STREAM, 0); bind($l, sockaddr_in(0, inet_aton("127.0.0.1"))) or die; listen($l, 1);
    my ($port) = sockaddr_in(getsockname($l));
    if (!fork) { socket(my $s, PF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in($port, inet_aton("127.0.0.1"))) or die;
      syswrite($s, "through lo"); exit }
    accept(my $c, $l); print <$c>'
  expect_output 'through lo'
}

@test "with -n the network namespace is the host's" {
  [[ $(in_clone -n readlink /proc/self/ns/net) == "$(readlink /proc/self/ns/net)" ]]
  [[ $(in_clone readlink /proc/self/ns/net) != "$(readlink /proc/self/ns/net)" ]]
  succeeds in_clone -n cat /etc/resolv.conf
  [[ $output == "$(cat /etc/resolv.conf)" ]] || complain "resolv.conf is not the host's"
}

@test "the host's services are reached with -n and not without" {
  start_server
  succeeds in_clone -n perl -e "$TCP_CLIENT" "$PORT"
  expect_output "served $MARK"
  succeeds in_clone -n perl -e "$ABSTRACT_CLIENT" "$MARK"
  expect_output "served $MARK"
  run --separate-stderr in_clone perl -e "$TCP_CLIENT" "$PORT"
  expect_in_errors 'no connection'
  run --separate-stderr in_clone perl -e "$ABSTRACT_CLIENT" "$MARK"
  expect_in_errors 'no connection'
}

@test "the host's resolv.conf can't be written from inside" {
  local before
  before=$(cat /etc/resolv.conf)
  run in_clone -n sh -c 'echo spoilt >>/etc/resolv.conf; rm -f /etc/resolv.conf; echo spoilt >/etc/resolv.conf'
  [[ $(cat /etc/resolv.conf) == "$before" ]]
}

@test "packages can be installed in a clone with -n" {
  succeeds in_clone -n -v DEBIAN_FRONTEND=noninteractive sh -ec '
    apt-get update >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    apt-get install -y hello >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    hello'
  expect_output 'Hello, world!'
}
