#!/usr/bin/python3
"""Rounds of members' runs, of `isolate -r` and of the daemon, in each of which something is killed at a random moment.

Runs as root in the mount namespace of the daemon, which it starts itself. After each round, once all has settled:
no clone was in two leases, none was destroyed while in use, none that was used is offered as fresh, and what is on disk
is just the pool's fresh clones. Prints a line for each round, the faults, and their number; the exit status is 1 if
there were any.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time

from varlink_client import MANAGER, call

# What a guest does: its clone must be new, stay its own, and stay whole.
GUEST = """
echo "clone $(uname -n)"
if test -e /mark; then echo "fault: a used clone: $(cat /mark)"; exit 1; fi
echo "$0" >/mark
for step in 1 2 3 4 5 6 7 8 9 10; do
  sleep "$1"
  test "$(cat /mark)" = "$0" && test -r /etc/debian_version || { echo "fault: the clone of $0 is not whole"; exit 1; }
done
echo "well"
"""
# The fault points of leases, of reaping and of refreshing.
POINTS = ["lease-locked", "lease-moved", "clone-begun", "clone-made", "lease-taken", "lease-prepared"]
POINTS += ["reap-locked", "reap-destroyed", "refresh-begun", "refresh-made"]
# A mark of the run in the command line, for those who look for what is left.
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}


class Rounds:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.state = os.path.join(options.store, "pools", options.template)
        self.clones = os.path.join(options.store, "clones")
        self.log = open(options.log, "ab")
        self.daemon = None
        self.seen = set()
        self.faults = 0
        self.done = 0
        self.slowest = 0.0

    # --- processes ---

    def start_daemon(self, fault=None):
        command = [self.options.isolated, "--store", self.options.store]
        environment = CLEAN if fault is None else CLEAN | {"ISOLATE_FAULT": fault}
        self.daemon = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        if not self.wait_until(30, self.daemon_answers):
            sys.exit("the daemon does not come up")

    def daemon_answers(self):
        try:
            return call(MANAGER + "GetStatus")["pid"] == self.daemon.pid
        except Exception:  # of whatever kind: it is asked again
            return False

    def start_member(self, number):
        uid, gid = self.random.choice(self.options.members)
        pause = f"{self.random.uniform(0.005, 0.08):.3f}"
        command = [self.options.isolate, "-q", "-z", "overlay:" + self.options.template]
        command += ["sh", "-c", GUEST, f"{self.done}.{number}", pause]
        return subprocess.Popen(
            command,
            env=CLEAN,
            user=uid,
            group=gid,
            extra_groups=[self.options.group],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_refresh(self, fault=None):
        command = [self.options.isolate, "--store", self.options.store, "-q", "-r", "overlay:" + self.options.template]
        command.append(str(self.options.size))
        environment = CLEAN if fault is None else CLEAN | {"ISOLATE_FAULT": fault}
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    @staticmethod
    def wait_until(seconds, holds):
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def stop_daemon(self):
        self.daemon.kill()
        self.daemon.wait()

    # --- a round ---

    def choose_fault(self):
        """What ISOLATE_FAULT is to be: a place where whoever comes there dies or fails, or none."""
        if not self.options.fault_points or self.random.random() < 0.3:
            return None
        return self.random.choice(POINTS) + self.random.choice([":kill", ":kill", ""])

    def round(self):
        members = []
        others = []
        killed = set()
        moments = sorted(self.random.uniform(0, 1.2) for _ in range(self.random.randint(1, 3)))
        fault = self.choose_fault()
        if fault:
            self.stop_daemon()
            self.start_daemon(fault)
        begin = time.monotonic()
        for number in range(self.random.randint(3, 8)):
            members.append(self.start_member(number))
            if self.random.random() < 0.3:
                others.append(self.start_refresh(self.choose_fault()))
            time.sleep(self.random.uniform(0, 0.06))
        for moment in moments:
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            victim = self.random.choice(members + others + [self.daemon] * 3)
            victim.send_signal(signal.SIGKILL)
            killed.add(victim.pid)
        # The processes of one with a fault do.
        daemon_died = self.daemon.pid in killed or fault is not None
        if fault and self.daemon.pid not in killed:
            self.wait_until(self.random.uniform(0, 2), lambda: all(member.poll() is not None for member in members))
            self.daemon.kill()
        if daemon_died:
            self.daemon.wait()
            # Sometimes somebody else is faster than the next daemon.
            if self.random.random() < 0.5:
                others.append(self.start_refresh())
            self.start_daemon()
        elif self.daemon.poll() is not None:
            self.fault(f"the daemon has ended by itself: {self.daemon.returncode}")
            self.start_daemon()
        for process in members:
            self.judge(process, process.pid in killed, daemon_died)
        for process in others:
            process.wait(120)
        self.expect_settled()
        self.done += 1
        ended = sum(process.returncode == 0 for process in members)
        print(f"round {self.done}: {ended} of {len(members)} runs ended well, killed: {len(killed)}", flush=True)

    def judge(self, process, was_killed, daemon_died):
        output, errors = process.communicate(timeout=120)
        lines = output.splitlines()
        for line in lines:
            if line.startswith("fault"):
                self.fault(line)
            if line.startswith("clone "):
                if line in self.seen:
                    self.fault(f"in two leases: {line}")
                self.seen.add(line)
        if was_killed or (process.returncode == 0 and lines[-1:] == ["well"]):
            return
        # Whom the daemon left in the middle of a request has no lease, and says so.
        if daemon_died and process.returncode == 125 and not lines and errors.startswith("isolate: error: "):
            return
        self.fault(f"a run ended with {process.returncode}: {output!r} {errors!r}")

    # --- what must hold ---

    def names(self, *path):
        try:
            return set(os.listdir(os.path.join(*path)))
        except FileNotFoundError:
            return set()

    def is_settled(self):
        states = {name: self.names(self.state, name) for name in ("fresh", "leased", "making", "trash", "kept")}
        fresh = states.pop("fresh")
        return not any(states.values()) and len(fresh) == self.options.size and self.names(self.clones) == fresh

    def expect_settled(self):
        begin = time.monotonic()
        if not self.wait_until(self.options.settle, self.is_settled):
            states = {name: sorted(self.names(self.state, name)) for name in os.listdir(self.state) if "." not in name}
            self.fault(f"not settled: {states} on disk: {sorted(self.names(self.clones))}")
            return
        self.slowest = max(self.slowest, time.monotonic() - begin)
        for clone in sorted(self.names(self.state, "fresh")):
            used = self.names(self.clones, clone, "upper")
            if used:
                self.fault(f"a used clone is fresh: {clone} has {sorted(used)}")

    def plant(self):
        """What a daemon would do wrong: a used clone among the fresh ones."""
        clone = sorted(self.names(self.state, "fresh"))[0]
        with open(os.path.join(self.clones, clone, "upper", "mark"), "w", encoding="ascii") as file:
            file.write("planted\n")

    def fault(self, text):
        self.faults += 1
        print(f"fault: {text}", flush=True)

    def run(self):
        self.start_daemon()
        try:
            self.expect_settled()
            if self.options.plant:
                self.plant()
                self.expect_settled()
            while self.done < self.options.rounds:
                self.round()
        finally:
            self.stop_daemon()
        print(f"{self.done} rounds, {len(self.seen)} clones, {self.faults} faults; seed {self.options.seed}, ", end="")
        print(f"settled within {self.slowest:.1f} s", flush=True)
        return 1 if self.faults else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--isolate", required=True)
    parser.add_argument("--isolated", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--log", required=True, help="for what the daemon says")
    parser.add_argument("--template", default="deb")
    parser.add_argument("--size", type=int, default=5, help="of the pool")
    parser.add_argument("--member", action="append", required=True, help="UID:GID of one who runs clones")
    parser.add_argument("--group", type=int, required=True, help="gid of the group isolate")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--settle", type=float, default=10, help="seconds until all must be in order after a round")
    parser.add_argument("--fault-points", action="store_true", help="of a build that has them")
    parser.add_argument("--plant", action="store_true", help="make a fault, to see that it is found")
    options = parser.parse_args()
    options.members = [tuple(map(int, member.split(":"))) for member in options.member]
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    return options


sys.exit(Rounds(parse()).run())
