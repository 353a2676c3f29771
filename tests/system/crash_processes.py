"""Finds processes for crash_rounds.py: those of a program that stores run, and those of guests."""

import os


def _all():
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # it has ended
        return ""


def _namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return ""


def running(programs, command):
    """Returns the processes of "PROGRAM COMMAND ..." in this mount namespace, for any of the programs."""
    own = _namespace("self")
    found = [pid for pid in _all() if _read(pid, "comm").strip() in programs and _namespace(pid) == own]
    return [pid for pid in found if _read(pid, "cmdline").split("\0")[1:2] == [command]]


def of_guests(members, command):
    """Returns a line for each process of these users that still runs that command, whatever else they do."""
    found = []
    for pid in _all():
        if command not in _read(pid, "cmdline"):
            continue
        fields = dict(line.split(":", 1) for line in _read(pid, "status").splitlines() if ":" in line)
        uid = int(fields.get("Uid", "0").split()[0])
        if uid in members and not fields["State"].strip().startswith("Z"):
            found.append(f"{pid} of {uid}: {_read(pid, 'cmdline')!r}")
    return found
