#!/usr/bin/python3
"""Input that the daemon must withstand. After each case the same process must still serve.

    daemon_input.py GROUP TEMPLATE     the cases of a group: names, frames, requests or descriptors

Prints a line for each case; the exit status is 1 if one of them went wrong.
"""

import json
import os
import socket
import sys
import time

from varlink_client import MANAGER, SERVICE, Client, Closed, VarlinkError, call, parameters_of, tell

LEASE = MANAGER + "Lease"
REFUSALS = {SERVICE + "InvalidParameter", MANAGER + "NoSuchTemplate"}
faults = []


def status():
    return call(MANAGER + "GetStatus")


DAEMON = status()["pid"]


def check(what, is_right, seen):
    tell("right" if is_right else "wrong", what, "-", str(seen)[:200])
    if not is_right:
        faults.append(what)
    now = status()["pid"]
    if now != DAEMON:
        sys.exit(f"{what}: another process serves now: {now} instead of {DAEMON}")


def outcome_of(function, *arguments):
    """Returns the error's name, "closed", or the answer."""
    try:
        return function(*arguments)
    except VarlinkError as error:
        return error.name
    except Closed:
        return "closed"


# --- names ------------------------------------------------------------------------------------------------------------

NAMES = ["", ".", "..", "../x", "/etc", "/etc/passwd", "a@b", "a;b", "-r", "--store", "%00", "deb\0", "deb\0x", "deb/"]
NAMES += ["deb/../deb", "pool", "x" * 255, "x" * 60000, "deb\n", " deb", "deb ", "DEB", "$(id)", "`id`", "'", '"', "\\"]
NAMES += ["zfs:", "zfs:a@b", "zfs:/etc", "btrfs:/etc", "btrfs:../x", "overlay:/tmp", "overlay:..", "isotest", "none:deb"]
NAMES += ["isotest/isolate/deb@1", "-o/-o/-o", "isotest/../isotest/deb", "\ud800", "\x1b[31m", "d\u00ebb", "deb\u202e"]
NAMES += [None, True, 7, 1e300, [], ["deb"], {}, {"deb": "deb"}]


def names(template):
    for name in NAMES:
        seen = outcome_of(call, LEASE, {"template": name})
        check(f"template {str(name)[:40]!r}", seen in REFUSALS, seen)
    for parameters in ({}, {"Template": template}, {"template": template, "userns": "none"}):
        seen = outcome_of(call, LEASE, parameters)
        check(f"parameters {parameters}", seen in REFUSALS, seen)
    for size in (-1, 2**64, 1.5, "5", None, [], True):
        seen = outcome_of(call, MANAGER + "ResizePool", {"template": template, "size": size})
        check(f"size {size}", str(seen).startswith("org."), seen)


# --- frames -----------------------------------------------------------------------------------------------------------

GET_INFO = b'{"method":"org.varlink.service.GetInfo"}'
DEEP = 10**6
FRAMES = {
    "empty": b"\0",
    "many empty ones": b"\0" * 1000,
    "no JSON": b"hello\0",
    "a line of HTTP": b"GET / HTTP/1.1\r\n\r\n\0",
    "a number": b"7\0",
    "null": b"null\0",
    "a list": b"[" + GET_INFO + b"]\0",
    "a string": b'"x"\0',
    "cut off": GET_INFO[:-1] + b"\0",
    "something behind the object": GET_INFO + b"}\0",
    "two objects": GET_INFO + GET_INFO + b"\0",
    "no method": b"{}\0",
    "a method that is no string": b'{"method":[]}\0',
    "parameters that are no object": GET_INFO[:-1] + b',"parameters":[]}\0',
    "a NUL inside": b'{"method":"org.varlink\0.service.GetInfo"}\0',
    "invalid UTF-8": b'{"method":"org.varlink.service.GetInfo\xff"}\0',
    "invalid UTF-8 in a name": b'{"method":"' + LEASE.encode() + b'","parameters":{"template":"\xc0\xaf"}}\0',
    "half a surrogate": b'{"method":"\\ud800"}\0',
    "too long": b'{"method":"' + b"x" * 70000 + b'"}\0',
    "far too long": b" " * 10**7,
    "no end, too long": b"x" * 70000,
    "deep lists": b"[" * DEEP,
    "deep lists in a frame": b"[" * 65000 + b"\0",
    "deep objects in a frame": b'{"":' * 15000 + b"\0",
    "deep parameters": GET_INFO[:-1] + b',"parameters":{"a":' + b"[" * 20000 + b"]" * 20000 + b"}}\0",
    "a length of 2^31 as other protocols have it": b"\x7f\xff\xff\xff" + GET_INFO + b"\0",
}


def frames(template):
    """Each frame must be refused or close the connection, and never get an answer."""
    for what, data in FRAMES.items():
        seen = outcome_of(answer_to, data)
        check(what, seen == "closed" or str(seen).startswith("org."), seen)
    seen = outcome_of(answer_to_end, GET_INFO)
    check("an end without a NUL", seen == "closed", seen)
    limit = b'{"method":"org.varlink.service.GetInfo","parameters":{}' + b" " * 65000 + b"}\0"
    seen = outcome_of(answer_to, limit)
    check("nearly too long", isinstance(seen, dict), seen)
    del template


def answer_to(data):
    with Client() as client:
        client.send_bytes(data)
        return parameters_of(client.receive())


def answer_to_end(data):
    with Client() as client:
        client.send_bytes(data)
        client.socket.shutdown(socket.SHUT_WR)
        return parameters_of(client.receive())


# --- requests ---------------------------------------------------------------------------------------------------------


def request(method, parameters=None, **more):
    return json.dumps({"method": method, "parameters": parameters or {}, **more}).encode() + b"\0"


def requests(template):
    for method in ("", "GetInfo", ".", "org.isolate.Manager", MANAGER + "Destroy", "org.isolate.Manager2.Lease"):
        seen = outcome_of(call, method)
        check(f"method {method!r}", str(seen).startswith(SERVICE), seen)
    for flag in ("more", "oneway", "upgrade"):
        seen = outcome_of(answer_to, request(LEASE, {"template": template}, **{flag: True}))
        check(f"a lease with {flag}", seen == "closed" or str(seen).startswith("org."), seen)
    lease = request(LEASE, {"template": template})
    info = request(SERVICE + "GetInfo")
    for what, data in (("two leases", lease * 2), ("a lease and more", lease + info), ("a lease and a byte", lease + b"x")):
        seen = outcome_of(answers_to, data)
        check(what + " in one go", no_lease_in(seen), seen)
    seen = outcome_of(answers_to, info * 20)
    check("20 requests in one go", len(seen) in range(1, 21) and all("error" not in reply for reply in seen), len(seen))
    leases = remaining_leases()
    check("no lease is left of all this", leases == [], leases)
    again(template)


def remaining_leases():
    """Waits a moment, because the daemon may still be ending leases of clients that have gone."""
    until = time.monotonic() + 20
    while (leases := call(MANAGER + "ListLeases")["leases"]) and time.monotonic() < until:
        time.sleep(0.1)
    return leases


def again(template):
    """A connection that has got its lease can't be used again."""
    with Client() as client:
        client.call(LEASE, {"template": template})
        seen = outcome_of(client.call, LEASE, {"template": template})
        check("a second lease by the same connection", seen == "closed" and len(client.descriptors) == 4, seen)


def no_lease_in(replies):
    return replies == "closed" or all("error" in reply for reply in replies)


def answers_to(data):
    """Returns all replies until the daemon closes, or until there is one for each request."""
    replies = []
    with Client() as client:
        client.send_bytes(data)
        try:
            while len(replies) < data.count(b"\0"):
                replies.append(client.receive())
        except Closed:
            pass
        if client.descriptors:
            replies.append({"descriptors": len(client.descriptors)})
    return replies


# --- descriptors ------------------------------------------------------------------------------------------------------


def descriptors(template):
    """The kernel refuses descriptors that are sent along, or the daemon drops them. Either way the request is served or
    the connection closed."""
    null = os.open("/dev/null", os.O_RDONLY)
    pipe, _ = os.pipe()
    for count in (1, 8, 253):
        for data in (request(SERVICE + "GetInfo"), request(LEASE, {"template": template}), b"x"):
            for number in range(4):
                with Client() as client:
                    seen = outcome_of(send_along, client, data, [null if number % 2 else pipe] * count)
                    is_right = seen in ("closed", "EPERM") or "error" in seen or "parameters" in seen
                    check(f"{count} descriptors beside {data[:50]!r}", is_right, seen)
    seen = call(SERVICE + "GetInfo")
    check("afterwards", seen["product"] == "isolated", seen)


def send_along(client, data, numbers):
    try:
        socket.send_fds(client.socket, [data], numbers)
    except PermissionError:
        return "EPERM"
    except (BrokenPipeError, ConnectionResetError):
        pass
    client.socket.shutdown(socket.SHUT_WR)
    return client.receive()


def main():
    group, template = sys.argv[1:]
    groups = {function.__name__: function for function in (names, frames, requests, descriptors)}
    groups[group](template)
    sys.exit(1 if faults else 0)


main()
