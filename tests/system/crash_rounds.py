#!/usr/bin/python3
"""Rounds of members' runs, of `isolate -r` and of the daemon. Each round kills a process at a random moment, which may
also be the program that a store runs.

Runs as root in the mount namespace of the daemon, which it starts itself. After each round, once everything has
settled, it checks: no clone was in two leases, none was destroyed while in use, no used clone is offered as fresh, the
disk holds exactly the pool's fresh clones, nothing is mounted, and no process of a guest is left. Prints a line for
each round, the faults, and their number. The exit status is 1 if there were any.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import time

import crash_processes
from crash_stores import KINDS, names
from varlink_client import MANAGER, call

# A guest checks that its clone is new, stays its own, and stays whole.
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
# The fault points of leasing, reaping and refreshing.
POINTS = ["lease-begun", "lease-locked", "lease-moved", "clone-begun", "clone-made", "lease-taken", "lease-prepared"]
POINTS += ["answer-sent", "reap-locked", "reap-moved", "reap-destroyed"]
POINTS += ["refresh-discarded", "refresh-begun", "refresh-made", "refresh-offered"]
# The environment of the processes started here. It holds nothing of the caller's.
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}


class Rounds:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.store = KINDS[options.kind](options.place or options.store, options.template)
        self.template = f"{options.kind}:{options.template}"
        self.points = POINTS + self.points_of_program()
        self.log = open(options.log, "ab")
        self.daemon = None
        self.seen = set()
        self.killed_programs = collections.Counter()
        self.faults = 0
        self.done = 0
        self.slowest = 0.0

    def points_of_program(self):
        """Here a store's program, or the process that started it, dies before or after its work."""
        return [f"{self.store.program}-{name}-{end}" for name in self.store.commands for end in ("begun", "done")]

    # --- processes ---

    def start(self, command, fault):
        environment = CLEAN if fault is None else CLEAN | {"ISOLATE_FAULT": fault}
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def start_daemon(self, fault=None):
        self.daemon = self.start([self.options.isolated, "--store", self.options.store], fault)
        if not self.wait_until(30, self.daemon_answers):
            sys.exit("the daemon does not come up")

    def daemon_answers(self):
        try:
            return call(MANAGER + "GetStatus")["pid"] == self.daemon.pid
        except Exception:  # any error: wait_until asks again
            return False

    def start_member(self, number):
        uid, gid = self.random.choice(self.options.members)
        pause = f"{self.random.uniform(0.005, 0.08) * self.options.slow:.3f}"
        command = [self.options.isolate, "-q", "-z", self.template]
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
        command = [self.options.isolate, "--store", self.options.store, "-q", "-r", self.template]
        return self.start(command + [str(self.options.size)], fault)

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
        """Returns a value for ISOLATE_FAULT, which makes a process die or fail at a fault point, or None."""
        if not self.options.fault_points or self.random.random() < 0.3:
            return None
        return self.random.choice(self.points) + self.random.choice([":kill", ":kill", ""])

    def kill_something(self, members, others):
        """Kills a random process and returns its pid."""
        if self.store.program and self.random.random() < 0.5 and self.kill_program():
            return None
        victim = self.random.choice(members + others + [self.daemon] * 3)
        victim.send_signal(signal.SIGKILL)
        return victim.pid

    def kill_program(self):
        """Kills a program that a store runs, some time into its work. Returns False if none was started."""
        command = self.random.choice(self.store.commands)

        def is_killed():
            for pid in crash_processes.running(self.store.programs, command):
                time.sleep(self.random.uniform(0, 0.01) * self.options.slow)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.killed_programs[command] += 1
                return True
            return False

        return self.wait_until(self.options.slow, is_killed)

    def round(self):
        members = []
        others = []
        killed = set()
        programs = self.killed_programs.total()
        slow = self.options.slow
        moments = sorted(self.random.uniform(0, 1.2 * slow) for _ in range(self.random.randint(1, 3)))
        fault = self.choose_fault()
        if fault:
            self.stop_daemon()
            self.start_daemon(fault)
        begin = time.monotonic()
        for number in range(self.random.randint(3, 8)):
            members.append(self.start_member(number))
            if self.random.random() < 0.3:
                others.append(self.start_refresh(self.choose_fault()))
            time.sleep(self.random.uniform(0, 0.06 * slow))
        for moment in moments:
            time.sleep(max(0.0, begin + moment - time.monotonic()))
            killed.add(self.kill_something(members, others))
        # Processes with a fault may die as well.
        daemon_died = self.daemon.pid in killed or fault is not None
        if fault and self.daemon.pid not in killed:
            have_ended = lambda: all(member.poll() is not None for member in members)
            self.wait_until(self.random.uniform(0, 2 * slow), have_ended)
            self.daemon.kill()
        if daemon_died:
            self.daemon.wait()
            # Sometimes a refresh comes before the next daemon.
            if self.random.random() < 0.5:
                others.append(self.start_refresh())
            self.start_daemon()
        elif self.daemon.poll() is not None:
            self.fault(f"the daemon has ended by itself: {self.daemon.returncode}")
            self.start_daemon()
        for process in members:
            self.judge(process, process.pid in killed, daemon_died, self.killed_programs.total() > programs)
        for process in others:
            process.wait(120)
        self.expect_settled()
        self.done += 1
        ended = sum(process.returncode == 0 for process in members)
        print(f"round {self.done}: {ended} of {len(members)} runs ended well, killed: {len(moments)}", end="")
        print(f", at {fault}" if fault else "", flush=True)

    def judge(self, process, was_killed, daemon_died, program_died):
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
        # The daemon died during its request, so the run has no lease and reports that.
        is_told = process.returncode == 125 and not lines and errors.startswith("isolate: error: ")
        if is_told and daemon_died:
            return
        # The store's program died while it made or mounted the clone.
        if is_told and program_died and f"{self.store.program} " in errors and "signal 9" in errors:
            return
        self.fault(f"a run ended with {process.returncode}: {output!r} {errors!r}")

    # --- what must hold ---

    def states(self):
        return {name: names(self.store.state, name) for name in ("fresh", "leased", "making", "trash", "kept")}

    def is_settled(self):
        states = self.states()
        fresh = states.pop("fresh")
        return not any(states.values()) and len(fresh) == self.options.size and self.store.clones() == fresh

    def expect_settled(self):
        begin = time.monotonic()
        if not self.wait_until(self.options.settle, self.is_settled):
            self.fault(f"not settled: {self.states()} on disk: {sorted(self.store.clones())}")
            return
        self.slowest = max(self.slowest, time.monotonic() - begin)
        for clone in sorted(self.states()["fresh"]):
            if self.store.is_used(clone):
                self.fault(f"a used clone is fresh: {clone}")
        self.expect_gone("left of clones", lambda: self.store.left_beside(self.store.clones()))
        uids = {uid for uid, _ in self.options.members}
        self.expect_gone("a guest lives", lambda: crash_processes.of_guests(uids, GUEST))

    def expect_gone(self, what, find):
        if not self.wait_until(5, lambda: not find()):
            self.fault(f"{what}: {sorted(find())}")

    def plant(self):
        """Puts a used clone among the fresh ones, as a faulty daemon would."""
        self.store.use(sorted(self.states()["fresh"])[0])

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
        print(f"{self.done} rounds, {len(self.seen)} clones, ", end="")
        if self.store.program:
            killed = ", ".join(f"{self.killed_programs[command]} {command}" for command in self.store.commands)
            print(f"{self.killed_programs.total()} times {self.store.program} killed ({killed}), ", end="")
        print(f"{self.faults} faults; seed {self.options.seed}, ", end="")
        print(f"settled within {self.slowest:.1f} s", flush=True)
        return 1 if self.faults else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--isolate", required=True)
    parser.add_argument("--isolated", required=True)
    parser.add_argument("--store", required=True, help="the daemon's main store")
    parser.add_argument("--kind", choices=sorted(KINDS), default="overlay", help="kind of the template's store")
    parser.add_argument("--place", help="the directory or dataset of that store; default: the main store")
    parser.add_argument("--log", required=True, help="file for the daemon's output")
    parser.add_argument("--template", default="deb")
    parser.add_argument("--size", type=int, default=5, help="size of the pool")
    parser.add_argument("--member", action="append", required=True, help="UID:GID of a member who runs clones")
    parser.add_argument("--group", type=int, required=True, help="gid of the group isolate")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--settle", type=float, default=10, help="seconds after a round until all must be in order")
    parser.add_argument("--slow", type=float, default=1, help="factor for all delays")
    parser.add_argument("--fault-points", action="store_true", help="use fault points; needs a build that has them")
    parser.add_argument("--plant", action="store_true", help="plant a fault, to check that it is found")
    options = parser.parse_args()
    options.members = [tuple(map(int, member.split(":"))) for member in options.member]
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    return options


sys.exit(Rounds(parse()).run())
