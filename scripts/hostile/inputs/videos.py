"""Hostile videos: boxes and elements with other sizes and lengths, small files of large pictures, broken indices."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from . import png, seeds
from .mutation import edge, log_uniform, mutate, truncate

BOXES = (b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"mdhd", b"stsd", b"stts", b"stss", b"stsc", b"stsz", b"stco", b"avc1",
         b"avcC", b"elst", b"mdat", b"hdlr", b"moof", b"trun", b"tfhd", b"ctts")  # fmt: skip
ANIMATIONS = ("moving.gif", "moving.png", "moving.webp")
"""Names in seeds.IMAGES."""
PNG_CHUNKS, WEBP_CHUNKS = (b"IHDR", b"acTL", b"fcTL", b"fdAT", b"IDAT"), (b"VP8X", b"ANIM", b"ANMF", b"RIFF")
INDICES = (b"stts", b"stsc", b"stsz", b"stco", b"elst", b"trun", b"ctts", b"stss")


def mutated(random: Random) -> bytes:
    """Return a valid video of a random container with random damage."""
    return mutate(_valid(random), random)


def cut_off(random: Random) -> bytes:
    """Return the start of a valid video."""
    return truncate(_valid(random), random)


def animation(random: Random) -> bytes:
    """Return an animated picture whose blocks state other sizes, places, durations and numbers, or occur thousands of times."""
    name = random.choice(ANIMATIONS)
    data = bytearray(seeds.image(name))
    block = random.choice({"gif": (b"!\xf9\4", b",\0"), "png": PNG_CHUNKS, "webp": WEBP_CHUNKS}[name.rpartition(".")[2]])
    for _ in range(random.randint(1, 3)):
        where = data.find(block, random.randrange(len(data))) if random.random() < 0.5 else data.find(block)
        if where < 0:
            continue
        if random.random() < 0.3:
            data[where:where] = data[where : where + random.randrange(8, 60)] * log_uniform(random, 1, 3000)
        else:
            at = where + random.randrange(-4, 34)
            data[at : at + 4] = struct.pack(random.choice(("<I", ">I", "<H", ">H")), edge(random, 16) & 0xFFFF)
    if name.endswith("png") and random.random() < 0.7:
        data = bytearray(png.with_checksums(bytes(data)))
    return bytes(data[: 2**21])


def _valid(random: Random) -> bytes:
    name = random.choice((*seeds.VIDEOS, *ANIMATIONS))
    return seeds.image(name) if name in ANIMATIONS else seeds.video(name)


def boxes(random: Random) -> bytes:
    """Return an MP4 in which boxes have another length, name or content, or occur thousands of times."""
    data = bytearray(seeds.video(random.choice(("mp4", "fragmented.mp4", "mpeg4.mp4", "mov"))))
    for _ in range(random.randint(1, 3)):
        where = data.find(random.choice([kind for kind in BOXES if kind in data] or [b""]))
        if where < 4:
            continue
        length = int.from_bytes(data[where - 4 : where], "big")
        change = random.randrange(5)
        if change == 0:
            data[where - 4 : where] = struct.pack(">I", edge(random))
        elif change == 1:
            data[where : where + 4] = random.choice((b"free", b"trak", b"moov", b"skip", b"uuid"))
        elif change == 2:
            at = where + 4 + random.randrange(max(4, min(80, length)))
            data[at : at + 4] = struct.pack(">I", edge(random))
        elif change == 3:
            del data[where - 4 : where - 4 + length]
        else:
            data[where - 4 : where - 4] = data[where - 4 : where - 4 + length] * log_uniform(random, 1, 200)
    return bytes(data[: 2**21])


def broken_index(random: Random) -> bytes:
    """Return an MP4 whose tables of times, sizes and places state other numbers: endless frames, places beyond the end."""
    data = bytearray(seeds.video(random.choice(("mp4", "fragmented.mp4", "mpeg4.mp4"))))
    present = [kind for kind in INDICES if kind in data]
    for kind in random.sample(present, random.randint(1, min(4, len(present)))):
        where = data.find(kind)
        for _ in range(random.randint(1, 4)):
            at = where + 8 + 4 * random.randrange(5)
            data[at : at + 4] = struct.pack(">I", edge(random))
    return bytes(data)


def times(random: Random) -> bytes:
    """Return an MP4 with another time base and length: years, zero, more ticks a second than a number holds."""
    data = bytearray(seeds.video(random.choice(("mp4", "mov"))))
    for kind, places in ((b"mvhd", (12, 16)), (b"mdhd", (12, 16)), (b"stts", (8, 12)), (b"tkhd", (20,))):
        where = data.find(kind) + 4
        for place in places:
            if random.random() < 0.4:
                data[where + place : where + place + 4] = struct.pack(">I", edge(random))
    return bytes(data)


def stated_size(random: Random) -> bytes:
    """Return a video whose container, not its stream, states an enormous picture or none."""
    name = random.choice(("mp4", "mkv", "avi", "mpeg4.avi", "webm"))
    data = bytearray(seeds.video(name))
    sizes = {
        "mp4": (b"\0\xa0\0\x78", ">HH"),
        "avi": (b"\xa0\0\0\0\x78\0\0\0", "<II"),
        "mpeg4.avi": (b"\xa0\0\0\0\x78\0\0\0", "<II"),
    }
    if name in sizes:
        pattern, form = sizes[name]
        bits = 16 if "H" in form else 32
        changed = bytes(data).replace(pattern, struct.pack(form, edge(random, bits), edge(random, bits)))
        return changed + random.randbytes(random.randrange(1, 9))
    for pattern in (b"\xb0\x81\xa0", b"\xba\x81\x78"):  # PixelWidth, PixelHeight
        where = data.find(pattern)
        if where >= 0:
            data[where : where + 3] = pattern[:1] + random.choice((b"\x88", b"\x84", b"\x83", b"\x81")) + random.randbytes(1)
    return bytes(data)


def large_frames(random: Random) -> bytes:
    """Return a small file of few gray frames up to the largest size, or slightly above it, of any shape."""
    sizes = ((4096, 2304), (4096, 2400), (16, 16), (2304, 4096), (8192, 1024), (16384, 64), (64, 8192), (2048, 2048))
    data = bytearray(seeds.large_video(*random.choice(sizes), random.choice((1, 4))))
    if random.random() < 0.5:
        where = data.find(b"mdhd") + 16
        data[where : where + 4] = struct.pack(">I", edge(random))
    return bytes(data) + b"\0\0\0\x10free" + random.randbytes(8)


def motion_jpeg(random: Random) -> bytes:
    """Return an AVI of JPEG or PNG pictures that each have another size than the header states."""
    frames = []
    for _ in range(log_uniform(random, 1, 40)):
        picture = bytearray(seeds.image("jpg"))
        if random.random() < 0.5:
            where = picture.find(b"\xff\xc0") + 5
            picture[where : where + 4] = struct.pack(">HH", log_uniform(random, 1, 65535), log_uniform(random, 1, 65535))
        frames.append(bytes(picture) if random.random() < 0.9 else png.shape(random))
    width, height = (random.choice((160, edge(random))) for _ in range(2))
    rate, scale = random.choice(((10, 1), (edge(random), edge(random)), (0, 0), (1, 2**31 - 1)))
    main = struct.pack("<14I", edge(random), 0, 0, 0x10, len(frames), 0, random.choice((1, 1, 100)), 0, width, height, 0, 0, 0, 0)
    stream = struct.pack("<4s4sIHHIIIIIIII4H", b"vids", b"MJPG", 0, 0, 0, 0, scale, rate, 0, len(frames), 0, 0, 0, 0, 0, 160, 120)
    form = struct.pack("<IIIHH4sIIIII", 40, width, height, 1, 24, random.choice((b"MJPG", b"MPNG", b"XXXX")), 0, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)

    streams = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form)) * random.choice((1, 1, 2, 100))
    movie = b"".join(chunk(b"00dc", frame) for frame in frames)
    index = b"".join(struct.pack("<4sIII", b"00dc", 16, edge(random), edge(random)) for _ in frames)
    body = (
        b"AVI "
        + chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + streams)
        + chunk(b"LIST", b"movi" + movie)
        + chunk(b"idx1", index)
    )
    return chunk(b"RIFF", body)


def elements(random: Random) -> bytes:
    """Return a Matroska file with elements of unknown, enormous or zero length, nested thousands deep or endlessly many."""
    data = bytearray(seeds.video(random.choice(("mkv", "webm", "vp9.webm"))))
    lengths = (b"\x01\xff\xff\xff\xff\xff\xff\xff", b"\xff", b"\x80", b"\x08\xff\xff\xff\xff", b"\0")
    known = (b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75", b"\x1c\x53\xbb\x6b", b"\xae", b"\xe0", b"\xa3")
    for _ in range(random.randint(1, 3)):
        kind = random.choice(known)
        where = data.find(kind)
        if where < 0:
            continue
        if random.random() < 0.6:
            length = random.choice(lengths)
            data[where + len(kind) : where + len(kind) + len(length)] = length
        else:
            data[where:where] = (kind + random.choice(lengths)) * log_uniform(random, 1, 20_000)
    return bytes(data[: 2**20])


FAMILIES: tuple[Callable[[Random], bytes], ...] = (
    mutated, boxes, animation, motion_jpeg, mutated, broken_index, times, elements, mutated, stated_size, large_frames, cut_off,
)  # fmt: skip
