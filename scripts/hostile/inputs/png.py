"""Handmade PNG files: bombs by shape, floods of chunks, wrong lengths and order."""

from __future__ import annotations

import struct
import zlib
from random import Random

from .mutation import edge, log_uniform

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Color type -> samples a pixel."""
END = b"\0\0\0\0IEND\xaeB`\x82"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_checksums(data: bytes) -> bytes:
    """Return a PNG with the right checksum of each chunk, as far as the lengths of its chunks lead."""
    pieces, start = [data[:8]], 8
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if end > len(data):
            break
        pieces.append(chunk(data[start + 4 : start + 8], data[start + 8 : end - 4]))
        start = end
    return b"".join([*pieces, data[start:]])


def header(width: int, height: int, depth: int = 8, color: int = 0, interlace: int = 0) -> bytes:
    """Return signature and IHDR, in which no value is checked."""
    fields = struct.pack(">IIBBBBB", width % 2**32, height % 2**32, depth % 256, color % 256, 0, 0, interlace % 256)
    return SIGNATURE + chunk(b"IHDR", fields)


def flat(width: int, height: int, value: int = 0, color: int = 0, level: int = 1) -> bytes:
    """Return a valid picture of one value; 24 megapixels take some tenths of a second."""
    row = b"\0" + bytes([value]) * (width * CHANNELS[color])
    packer = zlib.compressobj(level)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return header(width, height, 8, color) + chunk(b"IDAT", pixels) + END


def shape(random: Random) -> bytes:
    """Return a header of an extreme shape, above and below the limits of size, with too few pixels or none."""
    pixels = log_uniform(random, 10**5, 2 * 10**8)
    short = log_uniform(random, 1, 4000)
    sides = (short, max(1, pixels // short))
    width, height = sides if random.random() < 0.6 else sides[::-1]
    color = random.choice(tuple(CHANNELS))
    depth = random.choice((1, 8, 8, 16)) if color in (0, 3) else random.choice((8, 16))
    row = zlib.compress(b"\0" * log_uniform(random, 1, 10**5), 1)
    palette = chunk(b"PLTE", bytes(768)) if color == 3 else b""
    return header(width, height, depth, color, random.random() < 0.2) + palette + chunk(b"IDAT", row) + END


def whole(random: Random) -> bytes:
    """Return a complete picture of an extreme shape, one value throughout; up to four megapixels, seldom 24."""
    pixels = 24_000_000 if random.random() < 0.03 else log_uniform(random, 10, 4_000_000)
    short = min(log_uniform(random, 1, 2000), pixels)
    sides = (short, pixels // short)
    width, height = sides if random.random() < 0.5 else sides[::-1]
    return flat(width, height, random.choice((0, 128, 255, random.randrange(256))), random.choice((0, 0, 2, 4)))


def strip(random: Random) -> bytes:
    """Return a picture of a few rows or columns, one value or noise, whose short side a detector enlarges."""
    long, short = log_uniform(random, 64, 8000), random.randint(1, 12)
    width, height = (long, short) if random.random() < 0.7 else (short, long)
    if random.random() < 0.5:
        return flat(width, height, random.randrange(256))
    rows = b"".join(b"\0" + random.randbytes(width) for _ in range(height))
    return header(width, height) + chunk(b"IDAT", zlib.compress(rows, 1)) + END


def chunk_flood(random: Random) -> bytes:
    """Return a small picture with up to 100,000 chunks around its pixels, of kinds that readers keep, inflate or skip."""
    kinds = {
        b"tEXt": lambda: b"Comment\0" + random.randbytes(random.randrange(20)),
        b"zTXt": lambda: b"Comment\0\0" + zlib.compress(b" " * random.choice((1, 10**5)), 1),
        b"iTXt": lambda: b"Comment\0\1\0\0\0" + zlib.compress(b"x" * random.choice((1, 10**5)), 1),
        b"PLTE": lambda: bytes(3 * random.randrange(257)),
        b"tRNS": lambda: random.randbytes(random.randrange(300)),
        b"gAMA": lambda: struct.pack(">I", edge(random)),
        b"tIME": lambda: random.randbytes(7),
        b"fdAT": lambda: random.randbytes(8),
        b"fcTL": lambda: random.randbytes(26),
        b"eXIf": lambda: b"II*\0\x08\0\0\0" + random.randbytes(40),
        b"IDAT": lambda: b"",
        b"abCd": lambda: b"",
    }
    kind = random.choice(tuple(kinds))
    one = chunk(kind, kinds[kind]())
    count = log_uniform(random, 50, min(100_000, 2**20 // len(one)))
    pixels = flat(32, 32, random.randrange(256))[len(SIGNATURE) + 25 :]
    start = header(32, 32)
    return random.choice((start + one * count + pixels, start + pixels[: -len(END)] + one * count + END))


def metadata_bomb(random: Random) -> bytes:
    """Return a small picture whose compressed text or color profile inflates to up to 50 MB, or whose EXIF is enormous."""
    packer = zlib.compressobj(9)
    size = log_uniform(random, 10**5, 5 * 10**7)
    packed = b"".join(packer.compress(b"\0" * min(2**20, size - done)) for done in range(0, size, 2**20)) + packer.flush()
    kind, head = random.choice(
        (
            (b"zTXt", b"Comment\0\0"),
            (b"iCCP", b"profile\0\0"),
            (b"iTXt", b"Comment\0\1\0\0\0"),
            (b"zTXt", b"Raw profile type exif\0\0"),
        )
    )
    pixels = flat(40 + random.randrange(8), 40)[len(SIGNATURE) + 25 :]
    return header(40, 40) + chunk(kind, head + packed) + pixels


def disorder(random: Random) -> bytes:
    """Return chunks with wrong lengths or sums, repeated, out of order or missing."""
    picture = header(48, 48, edge(random, 8) if random.random() < 0.3 else 8, random.choice((0, 2, 3, 4, 6, 1, 255)))
    rows = zlib.compress(b"".join(bytes([random.choice((0, 1, 2, 3, 4, 5, 255))]) + random.randbytes(192) for _ in range(48)), 1)
    pieces = [
        chunk(b"IDAT", rows[: random.randrange(len(rows) + 1)]),
        chunk(b"PLTE", random.randbytes(random.choice((0, 1, 3, 767, 768, 771, 5000)))),
        struct.pack(">I", edge(random)) + b"IDAT" + rows[:1000],
        struct.pack(">I", edge(random)) + b"tEXt",
        header(edge(random), edge(random))[len(SIGNATURE) :],
        chunk(b"acTL", struct.pack(">II", edge(random), edge(random))),
        chunk(b"fcTL", struct.pack(">IIIII", *(edge(random) for _ in range(5))) + random.randbytes(6)),
        b"\0\0\0\0IDAT\0\0\0\0",
        END,
    ]
    random.shuffle(pieces)
    return picture + b"".join(pieces[: random.randint(1, len(pieces))])


def missing_pixels(random: Random) -> bytes:
    """Return a picture that ends after a share of its rows, with or without the final chunk."""
    side = random.randint(20, 300)
    rows = zlib.compress(b"".join(b"\0" + random.randbytes(side) for _ in range(side)), 1)
    left = rows[: int(len(rows) * random.random() ** 2)]
    return header(side, side) + chunk(b"IDAT", left) + (END if random.random() < 0.5 else b"")
