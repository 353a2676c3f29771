#!/usr/bin/python3 -IS
"""desktop_exec.py FILE: prints the words of the key Exec as a desktop starts them, each ended by a NUL byte.

Follows the Desktop Entry Specification 1.5: first the escapes of values of the type string, then the quoting of "The Exec
key", then field codes, for a start without files. Anything that the specification does not define is an error.
"""
import sys

RESERVED = set(" \t\n\"'\\><~|&;$*?#()`")
ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def value_of_exec(path):
    lines = open(path, "rb").read().decode("utf-8").split("\n")
    assert lines[0] == "[Desktop Entry]" and lines[-1] == "", "a group comes first, and the last line is whole"
    values = [line[len("Exec="):] for line in lines if line.startswith("Exec=")]
    assert len(values) == 1 and sum(line.startswith("[") for line in lines) == 1, "one group with one Exec"
    return values[0]


def unescape(value):
    out, rest = "", iter(value)
    for c in rest:
        assert c >= " " and c != "\x7f", "no control characters"
        out += ESCAPES[next(rest)] if c == "\\" else c
    return out


def split(line):
    words, i = [], 0
    while i < len(line):
        word, i = quoted(line, i + 1) if line[i] == '"' else plain(line, i)
        words.append(word)
        assert i == len(line) or line[i] == " ", "a blank separates arguments"
        i += 1
        assert i != len(line), "no blank at the end"
    return words


def quoted(line, i):
    word = ""
    while line[i] != '"':
        if line[i] == "\\":
            i += 1
            assert line[i] in '"`$\\', "only these are escaped"
        else:
            assert line[i] not in '`$', "these must be escaped"
        word += line[i]
        i += 1
    return word, i + 1


def plain(line, i):
    end = line.find(" ", i)
    end = len(line) if end < 0 else end
    assert end > i and not RESERVED & set(line[i:end]), "reserved characters need quotes"
    return line[i:end], end


def expand(word):
    out, rest = "", iter(word)
    for c in rest:
        if c == "%":
            assert next(rest) == "%", "no field code"
        out += c
    return out


for argument in split(unescape(value_of_exec(sys.argv[1]))):
    sys.stdout.buffer.write(expand(argument).encode("utf-8") + b"\0")
