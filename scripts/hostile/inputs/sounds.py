"""Hostile recordings: containers whose headers lie, rates and channels at the edges, floats beyond reason, endless silence."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from random import Random

from . import seeds
from .mutation import edge, log_uniform, mutate, truncate

RATES = (0, 1, 2, 7, 100, 999, 4000, 8000, 11025, 44100, 192_000, 655_350, 1_048_575, 2**31 - 1, 2**31, 2**32 - 1)
CHANNELS = (0, 1, 2, 3, 6, 8, 9, 31, 32, 33, 64, 255, 256, 65535)
FLOATS = (math.inf, -math.inf, math.nan, 3e38, -3e38, 1e30, 1e308, 5e-324, 0.0, 1.0)


def mutated(random: Random) -> bytes:
    """Return a valid recording of a random format with random damage."""
    return mutate(seeds.sound(random.choice(tuple(seeds.SOUNDS))), random)


def cut_off(random: Random) -> bytes:
    """Return the start of a valid recording."""
    return truncate(seeds.sound(random.choice(tuple(seeds.SOUNDS))), random)


def wav(random: Random) -> bytes:
    """Return a WAV file whose rate, channels, width and lengths are at the edges."""
    bits = random.choice((8, 16, 24, 32, 64, 0, 1, 4, 255))
    form = random.choice((1, 1, 1, 3, 3, 6, 7, 2, 17, 49, 85, 0xFFFE, edge(random, 16)))
    rate, channels = random.choice(RATES), random.choice(CHANNELS)
    frame = random.choice((channels * bits // 8 % 2**16, 0, 1, 65535))
    fields = struct.pack("<HHIIHH", form, channels, rate, edge(random), frame, bits)
    data = random.randbytes(log_uniform(random, 1, 50_000))
    if form == 3 and random.random() < 0.7:
        data = float_samples(random, log_uniform(random, 1, 5000))
    extra = random.choice((b"", b"\0\0", struct.pack("<H", 22) + random.randbytes(22)))
    format_chunk = b"fmt " + struct.pack("<I", random.choice((len(fields + extra), edge(random)))) + fields + extra
    length = random.choice((len(data), len(data), 0, edge(random)))
    body = b"WAVE" + format_chunk + b"data" + struct.pack("<I", length) + data
    return (
        random.choice((b"RIFF", b"RIFF", b"RF64", b"RIFX")) + struct.pack("<I", random.choice((len(body), edge(random)))) + body
    )


def float_wav(random: Random) -> bytes:
    """Return a well-formed WAV file of float samples of extreme size."""
    data, channels = float_samples(random, log_uniform(random, 10, 20_000)), random.choice((1, 1, 2))
    rate = random.choice((8000, 16_000, 48_000))
    head = struct.pack("<IHHIIHH", 16, 3, channels, rate, 4 * channels * rate, 4 * channels, 32)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data


def float_samples(random: Random, count: int) -> bytes:
    """Return `count` samples of 32 bits, some of them among FLOATS."""
    chosen = [value for value in FLOATS if not math.isfinite(value) or abs(value) < 3.4e38]
    return b"".join(
        struct.pack("<f", random.choice(chosen) if random.random() < 0.5 else random.gauss(0, 1)) for _ in range(count)
    )


def long_wav(random: Random) -> bytes:
    """Return silence of a low rate, so that few bytes last for hours, or of many channels."""
    rate, channels = random.choice((1, 10, 100, 1000, 4000, 8000)), random.choice((1, 1, 2, 8, 31, 32))
    data = bytes(log_uniform(random, 1000, 10**6))
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels, channels, 8)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data


def au(random: Random) -> bytes:
    """Return an AU file of any coding, rate and number of channels."""
    coding = random.choice((1, 2, 3, 4, 5, 6, 7, 23, 27, edge(random)))
    head = struct.pack(">4sIIIII", b".snd", random.choice((24, 32, edge(random))), edge(random), coding, random.choice(RATES),
                       random.choice(CHANNELS))  # fmt: skip
    return head + random.randbytes(log_uniform(random, 1, 20_000))


def flac(random: Random) -> bytes:
    """Return a FLAC file of constant blocks: any rate, channels and length, thousands of seconds in a few bytes."""
    rate = random.choice([value for value in RATES if value < 2**20])
    size = random.choice((16, 192, 1000, 2000, 4096, 65535))
    total = random.choice((0, 1, size, 2**36 - 1, log_uniform(random, 1, 10**9)))
    packed = (rate << 44) | (random.randrange(8) << 41) | (random.choice((7, 15, 23, 31)) << 36) | total
    info = struct.pack(">HH", size, size) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    comments = b""
    if random.random() < 0.2:
        comments = b"".join(bytes([random.choice((1, 2, 3, 4, 5, 6, 126))]) + b"\0\0\x04" + random.randbytes(4)
                            for _ in range(log_uniform(random, 1, 20_000)))  # fmt: skip
    start = b"fLaC" + (b"\0" if comments else b"\x80") + b"\0\0\x22" + info + comments + (b"\x81\0\0\0" if comments else b"")
    count = log_uniform(random, 1, random.choice((3, 3, 2000)))
    return start + b"".join(_constant_frame(number, size, random.randrange(-9, 9)) for number in range(count))


def _constant_frame(number: int, size: int, value: int) -> bytes:
    """Return a frame of one channel of 16 bits: `size` equal samples in 14 bytes."""
    coded = chr(number).encode("utf-8", "surrogatepass")  # FLAC codes frame numbers as UTF-8 codes characters
    head = b"\xff\xf8" + bytes([0x70, 0x08]) + coded + struct.pack(">H", size - 1)
    head += bytes([_crc(head, 8, 0x07)])
    frame = head + b"\0" + struct.pack(">h", value)
    return frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    value = 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (bits - 1) else 0)
            value &= (1 << bits) - 1
    return value


def ogg(random: Random) -> bytes:
    """Return an Ogg file whose pages have other positions, numbers or lengths, with right sums so that readers take them."""
    data, pages, start = seeds.sound("opus.ogg"), [], 0
    while start < len(data):
        count = data[start + 26]
        size = 27 + count + sum(data[start + 27 : start + 27 + count])
        pages.append(bytearray(data[start : start + size]))
        start += size
    for _ in range(random.randint(1, 4)):
        page = random.choice(pages)
        change = random.randrange(5)
        if change == 0:
            page[6:14] = struct.pack("<Q", random.choice((0, 2**63 - 1, 2**64 - 1, edge(random))))
        elif change == 1:
            page[18:22] = struct.pack("<I", edge(random))
        elif change == 2:
            pages.insert(random.randrange(len(pages)), bytearray(page))
        elif change == 3:
            page[random.randrange(28, len(page))] = edge(random, 8)
        else:
            page[5] = edge(random, 8)
    for page in pages:
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", _ogg_sum(bytes(page)))
    return b"".join(pages)


def _ogg_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = ((value << 1) ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


OGG_TABLE = _ogg_table()


def _ogg_sum(page: bytes) -> int:
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ OGG_TABLE[(value >> 24) ^ byte]
    return value


def mp3(random: Random) -> bytes:
    """Return MP3 frames of every version, layer and rate, after a tag of any stated length; mostly silence or noise."""
    tag = b"ID3\x04\0" + random.randbytes(1) + bytes(edge(random, 7) for _ in range(4)) if random.random() < 0.5 else b""
    frames = b""
    for _ in range(log_uniform(random, 1, 300)):
        head = bytes([0xFF, 0xE0 | random.randrange(32), random.randrange(256), random.randrange(256)])
        frames += head + random.choice((bytes(100), random.randbytes(random.randrange(400))))
    return tag + frames


FAMILIES: tuple[Callable[[Random], bytes], ...] = (
    mutated, wav, flac, mutated, float_wav, ogg, mutated, long_wav, au, mp3, mutated, cut_off,
)  # fmt: skip
