#!/usr/bin/python3
"""A small client of Varlink (https://varlink.org) that receives descriptors, for the tests of the daemon.

    varlink_client.py call METHOD [PARAMETERS]    prints the reply's parameters, or the error and fails with status 1
    varlink_client.py lease TEMPLATE [COUNT]      takes leases, prints a line for each, then "all", and holds them
                                                  until it is killed; SIGUSR1: releases one and prints it
    varlink_client.py drop TEMPLATE COUNT         requests leases and closes before the answer can come
    varlink_client.py activate COMMAND...         runs COMMAND with the listening socket as systemd would pass it
    varlink_client.py chroot DIRECTORY UID GID GROUP METHOD [PARAMETERS]
                                                  calls from a process of UID whose root is DIRECTORY

--timeout SECONDS comes first and limits the wait for an answer. Exit status 2: the daemon closed without an answer. 3:
no daemon listens. 4: no answer came.
"""

import array
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import time

SOCKET = "/run/isolate/org.isolate.Manager"
MANAGER = "org.isolate.Manager."
SERVICE = "org.varlink.service."
TIMEOUT = 60  # seconds


class Closed(Exception):
    """The daemon closed the connection instead of answering."""


class VarlinkError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name} {json.dumps(parameters)}")
        self.name = name
        self.parameters = parameters


class Client:
    def __init__(self, path=SOCKET):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.buffer = b""
        self.descriptors = []
        try:
            # Connect without a timeout, because only then it waits for room in the socket's queue.
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.socket.settimeout(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        self.close_descriptors()

    def close_descriptors(self):
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []

    def send(self, method, parameters=None):
        message = {"method": method, "parameters": parameters or {}}
        self.send_bytes(json.dumps(message).encode() + b"\0")

    def send_bytes(self, data):
        """Sends the bytes. If the daemon has closed already, the next read notices that."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def receive(self):
        """Returns the next message unparsed. Keeps descriptors that come with it in self.descriptors."""
        while b"\0" not in self.buffer:
            try:
                data, ancillary, flags, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64 * 4))
            except ConnectionResetError:
                data, ancillary, flags = b"", [], 0
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    numbers = array.array("i")
                    numbers.frombytes(content[: len(content) // numbers.itemsize * numbers.itemsize])
                    self.descriptors.extend(numbers)
            if flags & socket.MSG_CTRUNC:
                raise OSError("descriptors were cut off")
            if not data:
                raise Closed(self.buffer.decode(errors="replace") or "nothing was answered")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return parameters_of(self.receive())

    def is_closed(self):
        """Waits for the next byte or the end. Returns True at the end."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def parameters_of(reply):
    if "error" in reply:
        raise VarlinkError(reply["error"], reply.get("parameters", {}))
    return reply.get("parameters", {})


def call(method, parameters=None):
    with Client() as client:
        return client.call(method, parameters)


class Lease:
    """A lease that is held until close()."""

    def __init__(self, template, userns=None, nested=None):
        """`nested` requests namespaces of the guest's own. Their descriptors are the fifth and the sixth."""
        asked = {"template": template}
        if userns:
            asked["userns"] = userns
        if nested:
            asked["nested"] = nested
        with Client() as client:
            self.reply = client.call(MANAGER + "Lease", asked)
            self.descriptors, client.descriptors = client.descriptors, []
        wanted = {None: 4, "below": 5, "beside": 6}[self.reply.get("nested")]
        if len(self.descriptors) != wanted:
            raise ValueError(f"{len(self.descriptors)} descriptors instead of {wanted}")
        self.user_namespace, self.mount_namespace, self.lock, self.range_lock = self.descriptors[:4]

    def close(self):
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []

    def range(self):
        """Returns the first id and the number of ids of the range that only this lease has on the host."""
        return max(([outside, count] for _, outside, count in self.reply["uidMap"]), key=lambda entry: entry[1])


def allow_descriptors():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def tell(*words):
    print(*words, flush=True)


def hold_leases(template, count):
    allow_descriptors()
    leases = []
    for _ in range(count):
        lease = Lease(template)
        leases.append(lease)
        tell("leased", lease.reply["lease"])
    signal.signal(signal.SIGUSR1, lambda *_: let_go_of(leases.pop()))
    signal.signal(signal.SIGUSR2, lambda *_: let_go_of_ranges(leases))
    tell("all")
    hold()


def let_go_of(lease):
    lease.close()
    tell("dropped", lease.reply["lease"])


def let_go_of_ranges(leases):
    for lease in leases:
        fcntl.flock(lease.range_lock, fcntl.LOCK_UN)
        os.close(lease.descriptors.pop())
    tell("ranges dropped")


def hold():
    while True:
        signal.pause()


def drop_requests(template, count):
    """Closes each connection a little later in the daemon's work than the previous one."""
    for number in range(count):
        with Client() as client:
            client.send(MANAGER + "Lease", {"template": template})
            time.sleep(number / count * 0.05)


def activate(command):
    if os.path.lexists(SOCKET):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SOCKET)
    os.chmod(SOCKET, 0o660)
    os.chown(SOCKET, 0, int(os.environ["SOCKET_GID"]))
    listener.listen(128)
    # If descriptor 3 already is the socket, dup2 changes nothing.
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    environment = {"PATH": os.environ["PATH"], "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    os.execve(command[0], command, environment)


def call_from_chroot(directory, uid, gid, group, method, parameters):
    place = os.open(os.path.dirname(SOCKET), os.O_PATH)
    os.chroot(directory)
    os.fchdir(place)
    os.setgroups([int(group)])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
    with Client(os.path.basename(SOCKET)) as client:
        return client.call(method, parameters)


def main(mode, *arguments):
    if mode == "--timeout":
        global TIMEOUT
        TIMEOUT = float(arguments[0])
        mode, *arguments = arguments[1:]
    if mode == "call":
        parameters = json.loads(arguments[1]) if len(arguments) > 1 else None
        tell(json.dumps(call(arguments[0], parameters)))
    elif mode == "lease":
        hold_leases(arguments[0], int(arguments[1]) if len(arguments) > 1 else 1)
    elif mode == "drop":
        drop_requests(arguments[0], int(arguments[1]))
    elif mode == "activate":
        activate(arguments)
    elif mode == "chroot":
        parameters = json.loads(arguments[5]) if len(arguments) > 5 else None
        tell(json.dumps(call_from_chroot(*arguments[:5], parameters)))
    else:
        sys.exit(__doc__)


def run():
    try:
        main(*sys.argv[1:])
    except VarlinkError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except Closed as error:
        print(f"closed: {error}", file=sys.stderr)
        sys.exit(2)
    except (FileNotFoundError, ConnectionRefusedError, PermissionError) as error:
        print(f"no connection: {error}", file=sys.stderr)
        sys.exit(3)
    except TimeoutError:
        print("no answer", file=sys.stderr)
        sys.exit(4)


if __name__ == "__main__":
    run()
