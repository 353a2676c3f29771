#!/usr/bin/python3
"""Runs a command on a fresh terminal, as a shell with job control does, and reports how it left the terminal.

    terminal.py STEP... -- COMMAND [ARGUMENT...]

The command is its own job in the foreground of a new session; python acts as the shell. Steps, in order:

    wait:TEXT     waits until TEXT is in the output, after the text of the last wait; at most 20 seconds
    file:PATH=TEXT  waits until TEXT is in the file
    type:TEXT     types TEXT; \\r, \\x03 and so on as in a Python string
    resize:RxC    resizes the window to R rows and C columns
    stopped       waits until the job has stopped
    fg            continues a stopped job in the foreground
    signal:NAME   sends a signal to the command only
    sleep:SECONDS
    modes         prints the terminal's current modes on stderr: cooked or raw, echo or noecho
    hangup        closes the terminal

--terminal=PATH uses that terminal instead of a new one; then there is nothing to type or to wait for.

What the terminal showed goes to stdout, without carriage returns. On stderr:

    ended: status N | ended: signal N
    queue: b'...'           input that a program would read now, although nobody has typed it
    modes: as before | modes: changed
    foreground: the job | foreground: GROUP     before the shell takes it back

Exit status 0 when all steps went well, 3 when one of them took too long.
"""

import ast
import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import sys
import termios
import time
import tty

DEADLINE = 20


def tell(text):
    print(text, file=sys.stderr, flush=True)


def modes_of(terminal):
    return termios.tcgetattr(terminal)


def words_of_modes(terminal):
    flags = modes_of(terminal)[3]
    return ("cooked" if flags & termios.ICANON else "raw") + (" echo" if flags & termios.ECHO else " noecho")


def content_of(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def set_size(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def unread(terminal):
    """Returns all input that waits to be read, in complete lines or not."""
    tty.setraw(terminal, termios.TCSANOW)
    modes = modes_of(terminal)
    modes[6][termios.VMIN] = modes[6][termios.VTIME] = 0
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    found = b""
    while data := os.read(terminal, 4096):
        found += data
    return found


class Shell:
    """The session leader, in its own process. Starts the job, and reports to the driver what happens to it."""

    def __init__(self, terminal, orders, reports, command):
        self.terminal, self.orders, self.reports, self.command = terminal, orders, reports, command

    def report(self, **what):
        os.write(self.reports, json.dumps(what).encode() + b"\n")

    def start_job(self):
        start, started = os.pipe()
        self.job = os.fork()
        if self.job == 0:
            os.setpgid(0, 0)
            os.read(start, 1)
            for name in (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(name, signal.SIG_DFL)
            for number in range(3):
                os.dup2(self.terminal, number)
            os.closerange(3, 64)
            try:
                os.execvp(self.command[0], self.command)
            except OSError as error:
                tell(f"{self.command[0]}: {error.strerror}")
            finally:
                os._exit(127)
        try:
            os.setpgid(self.job, self.job)
        except OSError:
            pass
        os.tcsetpgrp(self.terminal, self.job)
        os.write(started, b"x")
        self.report(pid=self.job)

    def hang_up(self, *_):
        os.killpg(self.job, signal.SIGHUP)
        os.killpg(self.job, signal.SIGCONT)

    def foreground(self):
        group = os.tcgetpgrp(self.terminal)
        return "the job" if group == self.job else str(group)

    def run(self):
        os.setsid()
        fcntl.ioctl(self.terminal, termios.TIOCSCTTY, 0)
        for name in (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        before = modes_of(self.terminal)
        self.start_job()
        # Pass SIGHUP on as shells do, because the kernel sends it only to the session leader.
        signal.signal(signal.SIGHUP, self.hang_up)
        while True:
            _, status = os.waitpid(self.job, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            os.tcsetpgrp(self.terminal, os.getpgrp())
            self.report(stopped=os.WSTOPSIG(status))
            os.read(self.orders, 1)
            os.tcsetpgrp(self.terminal, self.job)
            os.killpg(self.job, signal.SIGCONT)
        end = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
        facts = {"ended": end}
        try:
            facts["foreground"] = self.foreground()
            os.tcsetpgrp(self.terminal, os.getpgrp())
            facts["modes"] = "as before" if modes_of(self.terminal) == before else "changed"
            facts["queue"] = repr(unread(self.terminal))
            termios.tcsetattr(self.terminal, termios.TCSANOW, before)
        except (OSError, termios.error):
            facts["terminal"] = "gone"
        self.report(facts=facts)


class TooLong(Exception):
    pass


class Driver:
    """Types, waits and keeps what the terminal shows. The master is None for a terminal without one."""

    def __init__(self, master, slave, orders, reports):
        self.master, self.slave, self.orders, self.reports = master, slave, orders, reports
        self.shown, self.found, self.partial = "", 0, b""
        self.job = self.stopped = self.facts = None

    def attend(self, seconds):
        """Reads what the terminal shows and what the shell reports, until there is anything, or the time is over."""
        sources = [self.reports] + ([self.master] if self.master is not None else [])
        for source in select.select(sources, [], [], seconds)[0]:
            try:
                data = os.read(source, 65536)
            except OSError:
                data = b""
            if source == self.master:
                if not data:
                    self.master = None
                self.shown += data.decode(errors="replace").replace("\r", "")
            else:
                self.partial += data
                *lines, self.partial = self.partial.split(b"\n")
                for line in lines:
                    self.take_report(json.loads(line))

    def take_report(self, report):
        self.job = report.get("pid", self.job)
        self.stopped = report.get("stopped", self.stopped)
        self.facts = report.get("facts", self.facts)

    def until(self, what, condition):
        end = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > end:
                raise TooLong(what)
            self.attend(0.1)

    def wait(self, text):
        # When the job has ended, there is no more output, except what is still on its way.
        self.until(f"waiting for {text!r}", lambda: text in self.shown[self.found :])
        self.found = self.shown.index(text, self.found) + len(text)

    def step(self, word):
        name, _, value = word.partition(":")
        if name == "wait":
            self.wait(ast.literal_eval('"' + value.replace('"', '\\"') + '"'))
        elif name == "file":
            path, _, text = value.partition("=")
            self.until(f"waiting for {value}", lambda: text in content_of(path))
        elif name == "type":
            os.write(self.master, ast.literal_eval('"' + value.replace('"', '\\"') + '"').encode("latin-1"))
        elif name == "resize":
            rows, columns = value.split("x")
            set_size(self.slave, int(rows), int(columns))
        elif name == "stopped":
            self.until("waiting for the job to stop", lambda: self.stopped is not None)
        elif name == "fg":
            self.stopped = None
            os.write(self.orders, b"x")
        elif name == "signal":
            self.until("waiting for the job", lambda: self.job is not None)
            os.kill(self.job, getattr(signal, "SIG" + value))
        elif name == "sleep":
            end = time.monotonic() + float(value)
            while (left := end - time.monotonic()) > 0:
                self.attend(left)
        elif name == "modes":
            tell("now: " + words_of_modes(self.slave))
        elif name == "hangup":
            os.close(self.slave)
            os.close(self.master)
            self.master = None
        else:
            sys.exit(f"terminal.py: no such step: {word}")

    def run(self, steps):
        try:
            for word in steps:
                self.step(word)
            self.until("waiting for the end", lambda: self.facts is not None)
        except TooLong as late:
            tell(f"too long: {late}")
            if self.job is not None:
                with contextlib.suppress(ProcessLookupError):  # it may have ended already
                    os.killpg(self.job, signal.SIGKILL)
            end = time.monotonic() + 5
            if self.stopped is not None:
                os.write(self.orders, b"x")
            while self.facts is None and time.monotonic() < end:
                self.attend(0.1)
            return 3
        for _ in range(3):
            self.attend(0.02)
        return 0


def main(words):
    path = None
    if words[0].startswith("--terminal="):
        path = words.pop(0).partition("=")[2]
    steps, command = words[: words.index("--")], words[words.index("--") + 1 :]
    if path is None:
        master, slave = os.openpty()
        set_size(slave, 24, 80)
    else:
        master, slave = None, os.open(path, os.O_RDWR | os.O_NOCTTY)
    order, orders = os.pipe()
    reports, report = os.pipe()
    shell = os.fork()
    if shell == 0:
        for descriptor in (master, orders, reports):
            if descriptor is not None:
                os.close(descriptor)
        try:
            Shell(slave, order, report, command).run()
        finally:
            os._exit(0)
    os.close(order)
    os.close(report)
    driver = Driver(master, slave, orders, reports)
    status = driver.run(steps)
    os.kill(shell, signal.SIGKILL)
    os.waitpid(shell, 0)
    print(driver.shown, end="", flush=True)
    for name, value in (driver.facts or {}).items():
        tell(f"{name}: {value}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
