"""Hostile pictures of all formats; those of PNG are in `png`."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from random import Random

from . import png, seeds
from .mutation import edge, log_uniform, mutate, truncate


def mutated(random: Random) -> bytes:
    """Return a valid picture of a random format with random damage."""
    return mutate(seeds.image(random.choice(tuple(seeds.IMAGES))), random)


def cut_off(random: Random) -> bytes:
    """Return the start of a valid picture."""
    return truncate(seeds.image(random.choice(tuple(seeds.IMAGES))), random)


def gif(random: Random) -> bytes:
    """Return a GIF of extreme canvas, frame, palette and code size."""
    width, height = edge(random, 16), edge(random, 16)
    palette = random.choice((0x00, 0x80, 0x87, 0xF7))
    start = b"GIF89a" + struct.pack("<HHBBB", width, height, palette, edge(random, 8), 0)
    start += random.randbytes(3 << (palette & 7) + 1) if palette & 0x80 else b""
    frames = b""
    for _ in range(log_uniform(random, 1, 2000)):
        sides = [edge(random, 16) if random.random() < 0.3 else random.randrange(100) for _ in range(4)]
        codes = random.randbytes(random.randrange(1, 60))
        frames += (
            b"," + struct.pack("<4HB", *sides, random.choice((0, 0x40, 0x87))) + bytes([random.choice((0, 2, 8, 11, 12, 255))])
        )
        frames += bytes([len(codes)]) + codes + b"\0"
    return start + frames[: 2**20] + random.choice((b";", b"", b"\0\0\0"))


def gif_comments(random: Random) -> bytes:
    """Return a GIF with up to 200,000 comments, application blocks or empty blocks before its picture."""
    block = random.choice(
        (b"!\xfe\x01x\0", b"!\xfe\0", b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", b"!\xf9\x04\0\0\0\0\0", b"!\x01\0")
    )
    valid = seeds.image("gif")
    start = 13 + (3 << (valid[10] & 7) + 1)
    return valid[:start] + block * log_uniform(random, 100, 10**6 // len(block)) + valid[start:]


def bmp(random: Random) -> bytes:
    """Return a BMP of extreme size, depth, palette, offsets and compression, with few pixels."""
    size = random.choice((12, 40, 40, 52, 56, 64, 108, 124, edge(random)))
    if random.random() < 0.5:
        short = log_uniform(random, 1, 1000)
        width, height = short, random.choice((1, -1)) * max(1, log_uniform(random, 10**5, 2 * 10**8) // short)
    else:
        width, height = edge(random), edge(random) * random.choice((1, -1))
    fields = struct.pack("<IIHHIIIIII", width % 2**32, height % 2**32, edge(random, 4), random.choice((1, 4, 8, 16, 24, 32, 0,
        64)),
                         random.choice((0, 0, 1, 2, 3, 4, 5, edge(random))), edge(random), 1, 1, edge(random),
                             edge(random))  # fmt: skip
    head = struct.pack("<I", size % 2**32) + (fields + bytes(200))[: max(0, min(size, 200) - 4)]
    offset = random.choice((14 + len(head), edge(random)))
    body = random.randbytes(log_uniform(random, 1, 5000))
    return b"BM" + struct.pack("<IHHI", edge(random), 0, 0, offset) + head + body


def tiff(random: Random) -> bytes:
    """Return a TIFF with extreme values of tags, counts that reach beyond its end, and loops of directories."""
    order = random.choice("<>")
    entries = {
        256: edge(random), 257: edge(random), 258: random.choice((1, 8, 16, 32)), 259: random.choice((1, 2, 3, 4, 5, 6, 7, 8,
            32773, 50000)),
        262: random.choice((0, 1, 2, 3, 5, 6, 8)), 273: edge(random), 277: edge(random, 8), 278: edge(random), 279: edge(random),
        284: random.choice((1, 2)), 322: edge(random), 323: edge(random), 324: edge(random), 325: edge(random), 320: edge(random),
        339: edge(random, 4), 34665: 8, 330: 8, 700: edge(random), 34675: edge(random),
    }  # fmt: skip
    if random.random() < 0.5:
        entries |= {
            256: log_uniform(random, 1, 30000),
            257: log_uniform(random, 1, 30000),
            258: 8,
            259: 1,
            262: 1,
            273: 8,
            277: 1,
        }
    chosen = sorted(random.sample(sorted(entries), random.randint(5, len(entries))))
    rows = b""
    for tag in chosen:
        count = 1 if random.random() < 0.7 else edge(random)
        rows += struct.pack(f"{order}HHII", tag, random.choice((1, 2, 3, 4, 4, 4, 5, 7, 12, 16, 99)), count, entries[tag])
    following = random.choice((0, 8, edge(random)))
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    data = start + struct.pack(f"{order}H", random.choice((len(chosen), len(chosen), edge(random, 16)))) + rows
    return data + struct.pack(f"{order}I", following) + random.randbytes(log_uniform(random, 1, 4000))


def jpeg_headers(random: Random) -> bytes:
    """Return a JPEG whose frame header states another size, depth or number of components."""
    valid = bytearray(seeds.image(random.choice(("jpg", "progressive.jpg", "cmyk.jpg"))))
    where = next(place for place in (valid.find(b"\xff\xc0"), valid.find(b"\xff\xc2")) if place > 0)
    if random.random() < 0.8:
        short = log_uniform(random, 1, 8000)
        sides = [short, min(65535, max(1, log_uniform(random, 10**4, 10**8) // short))]
        random.shuffle(sides)
        valid[where + 5 : where + 9] = struct.pack(">HH", *sides)
    else:
        valid[where + 4] = edge(random, 8)
        valid[where + 9] = edge(random, 8)
    valid[where + 1] = random.choice((0xC0, 0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA))
    return bytes(valid)


def jpeg_segments(random: Random) -> bytes:
    """Return a JPEG with up to 200,000 comments, filling bytes, scans, tables, restarts or pieces of profiles."""
    valid = seeds.image(random.choice(("jpg", "progressive.jpg")))
    scan = valid.find(b"\xff\xda")
    size = random.randrange(2, 40)
    pieces = {
        "comment": (2, b"\xff\xfe" + struct.pack(">H", size) + bytes(size - 2)),
        "empty comment": (2, b"\xff\xfe\0\x02"),
        "fill": (2, b"\xff"),
        "scan": (scan, valid[scan : scan + log_uniform(random, 14, len(valid) - scan)]),
        "restart": (scan + 20, b"\xff" + bytes([0xD0 + random.randrange(8)])),
        "exif": (2, b"\xff\xe1\0\x20Exif\0\0MM\0*\0\0\0\x08" + random.randbytes(16)),
        "profile": (2, b"\xff\xe2\0\x20ICC_PROFILE\0" + random.randbytes(18)),
        "mpo": (2, b"\xff\xe2\0\x20MPF\0II*\0\x08\0\0\0" + random.randbytes(16)),
        "tables": (2, b"\xff\xc4\0\x13" + random.randbytes(17)),
        "thumbnail": (2, b"\xff\xe0\xff\xffJFXX\0\x13" + random.randbytes(65526)),
    }
    where, piece = pieces[random.choice(tuple(pieces))]
    return valid[:where] + piece * log_uniform(random, 1, max(1, 10**6 // len(piece))) + valid[where:]


def webp(random: Random) -> bytes:
    """Return a WebP with an extreme canvas, frames beyond it, and chunks of wrong length."""
    valid = seeds.image(random.choice(("webp", "lossless.webp")))[12:]

    def chunk(kind: bytes, data: bytes) -> bytes:
        size = len(data) if random.random() < 0.8 else edge(random)
        return kind + struct.pack("<I", size) + data + b"\0" * (len(data) & 1)

    def three(value: int) -> bytes:
        return struct.pack("<I", value % 2**24)[:3]

    canvas = bytes([edge(random, 8)]) + bytes(3) + three(edge(random, 24)) + three(edge(random, 24))
    pieces = [chunk(b"VP8X", canvas)]
    if random.random() < 0.6:
        frame = (
            three(edge(random, 24)) + three(edge(random, 24)) + three(159) + three(119) + three(edge(random, 24)) + b"\0" + valid
        )
        pieces += [chunk(b"ANIM", bytes(6)), chunk(b"ANMF", frame) * log_uniform(random, 1, 60)]
    pieces += [chunk(random.choice((b"EXIF", b"XMP ", b"ICCP", b"ALPH")), random.randbytes(log_uniform(random, 1, 3000))), valid]
    body = b"WEBP" + b"".join(pieces)
    return b"RIFF" + struct.pack("<I", random.choice((len(body), len(body), edge(random)))) + body


def boxes(random: Random) -> bytes:
    """Return a HEIC or AVIF with another size in its header, other lengths of boxes, or thousands of items."""
    data = bytearray(seeds.image(random.choice(("heic", "avif"))))
    kinds = [kind for kind in (b"ispe", b"iloc", b"iinf", b"ipma", b"pitm", b"meta", b"mdat", b"hvcC", b"av1C", b"pixi", b"infe",
        b"ipco")
             if kind in data]  # fmt: skip
    for _ in range(random.randint(1, 3)):
        kind = random.choice(kinds)
        where = data.find(kind)
        if where < 4 or random.random() < 0.4:
            where = max(4, data.find(b"ispe"))
            data[where + 8 : where + 16] = struct.pack(">II", edge(random), edge(random))
        elif random.random() < 0.5:
            data[where - 4 : where] = struct.pack(">I", edge(random))
        else:
            at = where + 4 + random.randrange(24)
            data[at : at + 4] = struct.pack(">I", edge(random))
    flood = struct.pack(">I", 8) + random.choice((b"free", b"uuid", b"meta")) if random.random() < 0.3 else b""
    return bytes(data[:32]) + flood * log_uniform(random, 1, 50_000) + bytes(data[32:]) if flood else bytes(data)


def polyglot(random: Random) -> bytes:
    """Return a file that is two things: one format's start on another's content, an archive behind a picture, a script in one."""
    first, second = (seeds.image(random.choice(tuple(seeds.IMAGES))) for _ in range(2))
    way = random.randrange(4)
    if way == 0:
        return first[: random.randrange(2, 64)] + second[random.randrange(64) :]
    if way == 1:
        archive = BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr(zipfile.ZipInfo(f"page{random.randrange(10**6)}.html"), "<script>alert(1)</script>")
        return first + archive.getvalue()
    script = b"<?php system($_GET[0]); ?><script>alert(%d)</script>" % random.randrange(10**6)
    return first + script if way == 2 else random.choice((b"%PDF-1.7\n", b"<svg onload=alert(1)>", b"\0\0\1\0")) + script + first


def noise(random: Random) -> bytes:
    """Return random bytes, some after the first bytes of a format."""
    start = random.choice((b"", *(seeds.image(name)[: random.choice((2, 4, 8, 12, 32))] for name in seeds.IMAGES)))
    return start + random.randbytes(log_uniform(random, 1, 20_000))


FAMILIES: tuple[Callable[[Random], bytes], ...] = (
    mutated, png.shape, jpeg_headers, mutated, gif, bmp, tiff, mutated, webp, boxes, mutated, cut_off, png.chunk_flood,
    png.disorder,
    mutated, gif_comments, jpeg_segments, polyglot, mutated, png.whole, png.strip, png.metadata_bomb, png.missing_pixels, noise,
)  # fmt: skip
"""Families of hostile pictures; half are damaged files, since decoders have more ways to read those than anyone lists."""
