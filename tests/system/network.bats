# variants: user-bwrap root-lxc root-native: each identity and each engine once, as no test depends on the pair
# other variants: root-bwrap user-lxc user-native root-warm user-warm
# The network: only lo, unless -n shares the host's.

load helpers

# Starts a server on the loopback device and on an abstract socket. Both answer with the mark.
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

# Sends an echo request through an ICMP socket (icmp(7)), with the given ids if there are any.
PING='if (@ARGV) { $( = $ARGV[1]; $) = "$ARGV[1] $ARGV[1]"; ($<, $>) = ($ARGV[0]) x 2 }
  socket(my $s, 2, 2, 1) or die "no ICMP socket: $!\n"; send($s, pack("CCnnn", 8, 0, 0, 0, 1), 0,
    pack("Sna4x8", 2, 0, "\x7f\0\0\1")) or die "not sent: $!\n";
  $SIG{ALRM} = sub { die "no answer\n" }; alarm(5); recv($s, my $answer, 100, 0);
  print "answer ", unpack("C", $answer), " for $> ", $) + 0, "\n"'

@test "every user of a guest can ping in the guest's own network" {
  succeeds in_clone perl -e "$PING" 65534 65534
  expect_output 'answer 0 for 65534 65534'
  succeeds in_clone --cap-drop NET_RAW perl -e "$PING" 1000 65535
  expect_output 'answer 0 for 1000 65535'
  succeeds in_clone --cap-drop NET_RAW perl -e "$PING"
  expect_output 'answer 0 for 0 0'
}

@test "with --userns=private and --userns=single a guest can ping as well" {
  if [[ $IDENTITY == root ]]; then
    isolate_refuses 'for ordinary users' -- isolate -z debian --userns=single true
    return
  fi
  succeeds in_clone --userns=private perl -e "$PING" 65534 65534
  expect_output 'answer 0 for 65534 65534'
  succeeds in_clone --userns=single perl -e "$PING"
  expect_output 'answer 0 for 0 0'
}

@test "the host's setting for who may ping does not change, even with -n" {
  local before setting=/proc/sys/net/ipv4/ping_group_range
  before=$(cat "$setting")
  succeeds in_clone cat "$setting"
  expect_not_in_output "$before"
  succeeds in_clone -n cat "$setting"
  run in_clone -n sh -c "echo 0 0 >$setting"
  [[ $(cat "$setting") == "$before" ]]
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

# bats test_tags=once
@test "packages can be installed in a clone with -n" {
  succeeds in_clone -n -v DEBIAN_FRONTEND=noninteractive sh -ec '
    apt-get update >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    apt-get install -y hello >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    hello'
  expect_output 'Hello, world!'
}
