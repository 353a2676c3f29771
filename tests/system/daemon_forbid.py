#!/usr/bin/python3
"""Runs a command under a system call filter that refuses user namespaces with EPERM. As root.

    daemon_forbid.py everybody COMMAND...   like the filters of containers: clone(2) and unshare(2) with CLONE_NEWUSER;
                                            clone3(2), whose arguments a filter can't see, fails with ENOSYS
    daemon_forbid.py unshare COMMAND...     unshare(2) only. The daemon makes the user namespace of a lease by clone(2), and
                                            a nested one by unshare(2). Here unshare(2) fails as on a kernel that requires
                                            rights on the host, which no process in a nested user namespace has

x86-64.
"""

import ctypes
import os
import struct
import sys

CLONE_NEWUSER = 0x10000000
SYS_CLONE, SYS_UNSHARE, SYS_CLONE3 = 56, 272, 435
ENOSYS, EPERM = 38, 1
LOAD, JUMP_IF_EQUAL, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16
PR_SET_SECCOMP, FILTER = 22, 2


def program(flag_calls, missing_calls):
    """Refuses `flag_calls` with the flag in their first argument. `missing_calls` fail with ENOSYS."""
    steps = [(LOAD, 0, 0, NUMBER_AT)]
    for call in missing_calls:
        steps += [(JUMP_IF_EQUAL, 0, 1, call), (RETURN, 0, 0, ERROR | ENOSYS)]
    for call in flag_calls:
        steps += [
            (JUMP_IF_EQUAL, 0, 3, call),
            (LOAD, 0, 0, FIRST_ARGUMENT_AT),
            (JUMP_IF_SET, 0, 1, CLONE_NEWUSER),
            (RETURN, 0, 0, ERROR | EPERM),
            (LOAD, 0, 0, NUMBER_AT),
        ]
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps), len(steps)


def main():
    calls = {"everybody": ((SYS_CLONE, SYS_UNSHARE), (SYS_CLONE3,)), "unshare": ((SYS_UNSHARE,), ())}
    code, length = program(*calls[sys.argv[1]])
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", length, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.create_string_buffer(header, len(header))) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    os.execvp(sys.argv[2], sys.argv[2:])


main()
