"""Handmade headers of sound and video files, with any value in any field, for tests of hostile inputs."""

from __future__ import annotations

import struct


def wav(
    samples: bytes,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    kind: int = 1,
    align: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """A WAV file. `kind`: 1 for integers, 3 for floating-point numbers; `align`: bytes of a frame; `extra`: further chunks."""
    block = channels * bits // 8 if align is None else align
    header = struct.pack(
        "<HHIIHH", kind & 0xFFFF, channels & 0xFFFF, rate & 0xFFFFFFFF, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits
    )
    chunks = b"fmt " + struct.pack("<I", len(header)) + header + extra + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def flac(rate: int, block: int, channels: int = 1, bits: int = 16, total: int = 0, comments: int = 0, frames: int = 1) -> bytes:
    """A FLAC file of constant blocks of `block` samples (at most 65,535), with `comments`."""
    information = struct.pack(">HH", block, block) + bytes(6)
    information += ((rate << 44) | (channels - 1 << 41) | (bits - 1 << 36) | total).to_bytes(8, "big") + bytes(16)
    blocks = [(0, information)]
    if comments:
        texts = b"".join(struct.pack("<I", 9) + b"%07x=a" % index for index in range(comments))
        blocks.append((4, struct.pack("<II", 0, comments) + texts))
    parts = [
        bytes([kind | (0x80 if index == len(blocks) - 1 else 0)]) + len(content).to_bytes(3, "big") + content
        for index, (kind, content) in enumerate(blocks)
    ]
    return b"fLaC" + b"".join(parts) + b"".join(_flac_frame(index, block, channels, bits) for index in range(frames))


def _flac_frame(index: int, block: int, channels: int, bits: int) -> bytes:
    depth = {8: 1, 12: 2, 16: 4, 20: 5, 24: 6}.get(bits, 0)
    number = bytes([index]) if index < 128 else chr(index).encode()
    head = b"\xff\xf8" + bytes([0x70, (channels - 1) << 4 | depth << 1]) + number + struct.pack(">H", block - 1)
    head += bytes([_crc(head, 0x07, 8)])
    body = head + (b"\0" + b"\x12" * (bits // 8)) * channels  # constant subframes
    return body + _crc(body, 0x8005, 16).to_bytes(2, "big")


def _crc(data: bytes, polynomial: int, width: int) -> int:
    value, top = 0, 1 << width - 1
    for byte in data:
        value ^= byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & (1 << width) - 1
    return value


def ogg(packets: list[bytes], serial: int = 1) -> bytes:
    """Ogg pages with these packets, each of them on pages of its own, with valid checksums."""
    pages, number = [], 0
    for index, packet in enumerate(packets):
        lacing = [255] * (len(packet) // 255) + [len(packet) % 255]
        for first in range(0, len(lacing), 255):
            part = bytes(lacing[first : first + 255])
            payload = packet[first * 255 : first * 255 + sum(part)]
            flags = (1 if first else 0) | (2 if index == 0 and not first else 0)
            page = (
                b"OggS\0" + bytes([flags]) + bytes(8) + struct.pack("<II", serial, number) + bytes(4) + bytes([len(part)]) + part
            )
            page += payload
            pages.append(page[:22] + _ogg_crc(page).to_bytes(4, "little") + page[26:])
            number += 1
    return b"".join(pages)


def _ogg_crc(data: bytes) -> int:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
        table.append(value)
    crc = 0
    for byte in data:
        crc = (crc << 8 ^ table[crc >> 24 ^ byte]) & 0xFFFFFFFF
    return crc


def vorbis_comments(count: int) -> bytes:
    """A block of Vorbis comments with `count` different names."""
    return struct.pack("<II", 0, count) + b"".join(struct.pack("<I", 9) + b"%07x=a" % index for index in range(count))


def id3(frames: int) -> bytes:
    """An ID3v2.3 tag with `frames` words of one's own."""
    body = b"".join(b"TXXX" + (11).to_bytes(4, "big") + b"\0\0" + b"\0%07x\0aa" % index for index in range(frames))
    size = len(body)
    return b"ID3\3\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + body


def box(name: bytes, *contents: bytes) -> bytes:
    """A box of MP4."""
    content = b"".join(contents)
    return struct.pack(">I", 8 + len(content)) + name + content


def movie(
    samples: int, *, sample_size: int = 1, edits: int = 0, tracks: int = 1, kind: bytes = b"vide", codec: bytes = b"jpeg",
    size: tuple[int, int] = (64, 64), chunk: int | None = None, duration: int = 40, further: bytes = b"",
) -> bytes:  # fmt: skip
    """A QuickTime file whose tables promise `samples` samples for each track, in chunks of `chunk`. `further`: more boxes."""
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    header = box(
        b"mvhd", struct.pack(">IIIIIIH10x", 0, 0, 0, 1000, 1000, 0x10000, 0x100), matrix, bytes(24), struct.pack(">I", 9)
    )
    if kind == b"vide":
        entry = bytes(6) + struct.pack(">H16xHHIIIH32xHh", 1, *size, 72 << 16, 72 << 16, 0, 1, 24, -1)
    else:
        entry = bytes(6) + struct.pack(">H8xHHHHI", 1, 1, 16, 0, 0, 16_000 << 16)
    parts = []
    for number in range(tracks):
        place = struct.pack(">IIIIII8xIHH", 3, 0, 0, number + 1, 0, 1000, 0, 0, 0)
        tables = box(
            b"stbl",
            box(b"stsd", struct.pack(">II", 0, 1), box(codec, entry)),
            box(b"stts", struct.pack(">IIII", 0, 1, samples, duration)),
            box(b"stsc", struct.pack(">IIIII", 0, 1, 1, chunk or samples, 1)),
            box(b"stsz", struct.pack(">III", 0, sample_size, samples)),
            box(b"stco", struct.pack(">III", 0, 1, 40)),
        )
        listed = box(b"edts", box(b"elst", struct.pack(">II", 0, edits), struct.pack(">III", 1000, 0, 0x10000) * edits))
        media = box(
            b"mdia",
            box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, 1000, 1000, 0)),
            box(b"hdlr", bytes(8), kind, bytes(13)),
            box(b"minf", box(b"vmhd", bytes(12)) if kind == b"vide" else box(b"smhd", bytes(8)), tables),
        )
        parts.append(
            box(b"trak", box(b"tkhd", place, matrix, struct.pack(">II", 64 << 16, 64 << 16)), listed if edits else b"", media)
        )
    return box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"mdat", b"\xff" * 1000) + box(b"moov", header, *parts, further)


def element(name: bytes, *contents: bytes) -> bytes:
    """An element of Matroska, with a length of eight bytes."""
    content = b"".join(contents)
    return name + (1 << 56 | len(content)).to_bytes(8, "big") + content


def short(name: bytes, content: bytes) -> bytes:
    """An element of Matroska of less than 127 bytes."""
    return name + bytes([0x80 | len(content)]) + content


def matroska(before: bytes = b"", cluster: bytes = b"", after: bytes = b"", codec: bytes = b"V_VP8") -> bytes:
    """A Matroska file with one VP8 track and these contents before, in and after its only cluster."""
    track = element(
        b"\xae", short(b"\xd7", b"\1"), short(b"\x73\xc5", b"\1"), short(b"\x83", b"\1" if codec[:1] == b"V" else b"\2"),
        short(b"\x86", codec), element(b"\xe0", short(b"\xb0", b"\x40"), short(b"\xba", b"\x40")) if codec[:1] == b"V" else
        element(b"\xe1", short(b"\xb5", struct.pack(">d", 16_000)), short(b"\x9f", b"\1")),
    )  # fmt: skip
    content = element(b"\x15\x49\xa9\x66", short(b"\x2a\xd7\xb1", b"\x0f\x42\x40")) + element(b"\x16\x54\xae\x6b", track) + before
    content += element(b"\x1f\x43\xb6\x75", short(b"\xe7", b"\0"), cluster) + after
    return element(b"\x1a\x45\xdf\xa3", short(b"\x42\x82", b"webm")) + element(b"\x18\x53\x80\x67", content)


def ogg_streams(count: int) -> bytes:
    """Ogg pages of `count` streams, cut off after their serial numbers."""
    return b"".join(b"OggS" + bytes(10) + struct.pack("<I", index) for index in range(count))


def flv(kinds: bytes) -> bytes:
    """A Flash video with an empty tag of each of these kinds."""
    return b"FLV\1\5\0\0\0\x09\0\0\0\0" + b"".join(bytes([kind]) + bytes(10) + b"\0\0\0\x0b" for kind in kinds)
