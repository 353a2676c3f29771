#!/usr/bin/python3
"""Makes and recognizes tones. Samples are 16 bits, signed, mono, 48000 a second.

  tone.py make FREQUENCY SECONDS FILE.wav
  tone.py find FILE       prints the frequency of the tone in raw samples, or "silence"
"""
import math
import struct
import sys
import wave

RATE = 48000
WINDOW = 4800  # samples, so that a bin is 10 Hz wide


def make(frequency, seconds, path):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        step = 2 * math.pi * frequency / RATE
        samples = (int(16000 * math.sin(step * i)) for i in range(int(RATE * seconds)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


def power(samples, frequency):
    """The algorithm of Goertzel: how strong one frequency is in the samples."""
    factor = 2 * math.cos(2 * math.pi * frequency / RATE)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, sample + factor * last - before
    return before * before + last * last - factor * before * last


def loudest_window(path):
    with open(path, "rb") as file:
        data = file.read()
    samples = struct.unpack("<%dh" % (len(data) // 2), data[: len(data) // 2 * 2])
    windows = [samples[i : i + WINDOW] for i in range(0, len(samples) - WINDOW + 1, WINDOW)]
    return max(windows, key=lambda window: sum(map(abs, window)), default=())


def find(path):
    samples = loudest_window(path)
    if not samples or max(map(abs, samples)) < 100:
        return "silence"
    return max(range(100, 2000, 10), key=lambda frequency: power(samples, frequency))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(float(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
    else:
        print(find(sys.argv[2]))
