#!/usr/bin/python3
"""Clients that put load on the daemon, for the tests of its limits.

    daemon_load.py leases TEMPLATE COUNT      makes COUNT leases, one after the other
    daemon_load.py errors TEMPLATE COUNT      makes COUNT requests that are refused, for different reasons
    daemon_load.py timed TEMPLATE COUNT       makes COUNT leases, one each half second; prints how many ms each took
    daemon_load.py slow TEMPLATE COUNT        connections that send one byte of a request each second
    daemon_load.py silent TEMPLATE COUNT      connections that send nothing, or half a request
    daemon_load.py deaf TEMPLATE COUNT        connections that send requests and do not read
    daemon_load.py flood TEMPLATE COUNT       keeps COUNT connections open, and replaces those that close
    daemon_load.py clients:FLOOD TEMPLATE COUNT   COUNT processes that do FLOOD without a pause: closing
                                              (connects and closes), quiet, half (of a request), listing, leasing, mixed

Those from slow on run until they are killed, and print a line "ready" when they have begun.
"""

import ctypes
import json
import os
import random
import select
import socket
import sys
import time

from varlink_client import MANAGER, SERVICE, SOCKET, Client, Closed, Lease, VarlinkError, allow_descriptors, tell


def leases(template, count):
    for _ in range(count):
        Lease(template).close()


def errors(template, count):
    wrong = [
        lambda client: client.call(MANAGER + "Lease", {"template": "none"}),
        lambda client: client.call(MANAGER + "ResizePool", {"template": template, "size": 1}),
        lambda client: client.call("org.none.Method"),
        lambda client: refused_bytes(client, b"not JSON\0"),
        lambda client: refused_bytes(client, b"{" * 70000),
    ]
    for number in range(count):
        with Client() as client:
            try:
                wrong[number % len(wrong)](client)
            except (VarlinkError, Closed):
                continue
            sys.exit(f"request {number} was answered")


def refused_bytes(client, data):
    client.send_bytes(data)
    reply = client.receive()
    if "error" in reply:
        raise VarlinkError(reply["error"], reply)


def timed(template, count):
    for _ in range(count):
        begin = time.monotonic()
        try:
            lease = Lease(template)
        except (VarlinkError, Closed, OSError) as error:
            tell("failed", error)
            continue
        tell(int((time.monotonic() - begin) * 1000))
        lease.close()
        time.sleep(0.5)


def request(method, parameters):
    return json.dumps({"method": method, "parameters": parameters}).encode() + b"\0"


class Load:
    """Connections that are opened again when the daemon closes them."""

    def __init__(self, count):
        allow_descriptors()
        self.connections = {}
        self.poll = select.poll()
        for _ in range(count):
            self.open()

    def open(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            connection.connect(SOCKET)
        except (BlockingIOError, ConnectionRefusedError):
            # The queue is full, which is the load that the daemon must withstand.
            connection.close()
            return None
        self.connections[connection.fileno()] = connection
        self.poll.register(connection, select.POLLHUP)
        return connection

    def replace_ended(self, opened):
        """For a second, replaces the connections that the daemon closes."""
        until = time.monotonic() + 1
        while (left := until - time.monotonic()) > 0:
            for number, _ in self.poll.poll(left * 1000):
                self.poll.unregister(number)
                self.connections.pop(number).close()
            for _ in range(min(50, opened - len(self.connections))):
                if not self.open():
                    break
            time.sleep(0.02)


def slow(template, count):
    data = request(MANAGER + "Lease", {"template": template})
    load = Load(count)
    tell("ready")
    for place in range(10**6):
        for connection in list(load.connections.values()):
            send_some(connection, data[place % len(data) :][:1])
        load.replace_ended(count)


def silent(template, count):
    load = Load(count)
    data = request(MANAGER + "Lease", {"template": template})
    tell("ready")
    while True:
        for number, connection in enumerate(list(load.connections.values())):
            if number % 2:
                send_some(connection, data[: len(data) // 2])
        load.replace_ended(count)


def deaf(template, count):
    del template
    data = request(SERVICE + "GetInterfaceDescription", {"interface": MANAGER.rstrip(".")}) * 50
    load = Load(count)
    tell("ready")
    while True:
        for connection in list(load.connections.values()):
            send_some(connection, data)
        load.replace_ended(count)


def flood(template, count):
    del template
    load = Load(count)
    tell("ready")
    while True:
        load.replace_ended(count)


def send_some(connection, data):
    try:
        connection.send(data)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass


def closing(template):
    del template
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(SOCKET)
    connection.close()


def quiet(template, data=b""):
    """Opens a connection and keeps it, up to thirty; then the oldest is closed."""
    del template
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(SOCKET)
    kept.append(connection)
    send_some(connection, data)
    if len(kept) > 30:
        kept.pop(0).close()


def half(template):
    data = request(MANAGER + "Lease", {"template": template})
    quiet(template, data[: len(data) // 2])


def listing(template):
    del template
    with Client() as client:
        client.call(MANAGER + "ListLeases")


def leasing(template):
    Lease(template).close()


def mixed(template):
    random.choice((closing, quiet, half, listing, leasing))(template)


kept = []


def clients(flood, template, count):
    work = {function.__name__: function for function in (closing, quiet, half, listing, leasing, mixed)}[flood]
    for _ in range(count):
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(1, 9)  # killed when its parent ends
            while True:
                try:
                    work(template)
                except (VarlinkError, Closed, OSError):
                    continue
    tell("ready")
    while True:
        time.sleep(60)


def main():
    name, template, count = sys.argv[1:]
    if name.startswith("clients:"):
        clients(name.removeprefix("clients:"), template, int(count))
    modes = {function.__name__: function for function in (leases, errors, timed, slow, silent, deaf, flood)}
    modes[name](template, int(count))


main()
