"""Hostile archives and tables for the readers of `scripts` and of model files; a subprocess reads them, see `hostile.readers`."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np

from . import seeds
from .mutation import edge, log_uniform, mutate, truncate

File = tuple[str, bytes]
"""Name of a file, whose ending says which readers take it, and its content."""
NAMES = ("train/angry/a.png", "happy/im0.jpg", "../up.png", "/etc/x.png", "sad/\udc80.png", "test/fear/" + "n" * 300 + ".jpg",
    "a\0b.png", "fer2013.csv",
         "icml_face_data.csv", "fer2013.tar.gz", "train.csv", "sad\\b.png", "con.png", "", "happy/", "data/legend.csv",
         "images/x.jpg")  # fmt: skip


def content(random: Random) -> bytes:
    return random.choice(
        (
            b"",
            seeds.image("png"),
            seeds.image("bits.png"),
            mutate(seeds.image("jpg"), random),
            random.randbytes(50),
            table(random),
            b"\0" * 10**6,
        )
    )


def table(random: Random) -> bytes:
    """Return a CSV like FER2013's or FER+'s with wrong columns, numbers and quotes, or an endless row."""
    header = random.choice(("emotion,pixels,Usage", " emotion, Usage, pixels", "emotion,pixels", "",
        "emotion,pixels,Usage,Usage", "\ufeffemotion,pixels,Usage", "split,text,labels,ekman",
        "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"))  # fmt: skip
    good = " ".join(["7"] * 2304)
    rows = []
    for _ in range(random.choice((0, 1, 3, 20))):
        pixels = random.choice(
            (
                good,
                good[:-2],
                good + " 256",
                "-1",
                "",
                "7.5",
                "x",
                "7 " * log_uniform(random, 1, 100_000),
                "9" * log_uniform(random, 1, 5000),
                "\0",
                '"' + good,
            )
        )
        rows.append(
            ",".join(
                (
                    random.choice(("0", "3", "7", "-1", "", "x", "٣")),
                    pixels,
                    random.choice(("Training", "PublicTest", "", "x", "Train\ning")),
                )
            )
        )
    text = "\n".join((header, *rows))
    data = text.encode(random.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin-1")), "replace")
    return mutate(data, random) if random.random() < 0.4 else data + b"\n" * random.randrange(99)


def csv_file(random: Random) -> File:
    data = table(random)
    if random.random() < 0.4:
        packed = gzip.compress(data, 1, mtime=0)
        return "table.csv.gz", random.choice((packed, truncate(packed, random), mutate(packed, random), data))
    return "table.csv", data


def zip_file(random: Random) -> File:
    """Return a zip archive with odd names, repeated members, damage, wrong sizes, or members that inflate to 100 kB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    ) as archive:
        for index in range(log_uniform(random, 1, 30)):
            name = NAMES[index] if index < len(NAMES) else f"happy/{index}.png"
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            info.compress_type = archive.compression
            archive.writestr(info, content(random))
    data = bytearray(buffer.getvalue())
    if random.random() < 0.2:
        data = data.replace(b"happy/im0.jpg", b"../../../up.p")  # a name that leaves the folder
    change = random.randrange(5)
    if change == 0:
        return "faces.zip", mutate(bytes(data), random)
    if change == 1:
        return "faces.zip", truncate(bytes(data), random)
    for signature, places in (
        (b"PK\x01\x02", (8, 10, 20, 24, 28, 42)),
        (b"PK\x03\x04", (6, 8, 18, 22)),
        (b"PK\x05\x06", (8, 10, 12, 16)),
    ):
        where = data.find(signature)
        if where >= 0 and random.random() < 0.4:
            place = where + random.choice(places)
            data[place : place + 4] = struct.pack("<I", edge(random))
    return random.choice(("faces.zip", "faces.zip", "fer2013.csv")), bytes(data)


@cache
def _zeros(megabytes: int) -> bytes:
    return bytes(megabytes << 20)


def zip_bomb(random: Random) -> File:
    """Return an archive of members that inflate to up to 20 MB each, one of them a picture or a table by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in random.sample(
            ("happy/a.png", "train/sad/b.jpg", "fer2013.csv", "fer2013.tar.gz", "fear/c.gif"), random.randint(1, 3)
        ):
            archive.writestr(zipfile.ZipInfo(name), _zeros(random.choice((1, 5, 20))), zipfile.ZIP_DEFLATED)
    return "faces.zip", buffer.getvalue() + random.randbytes(random.randrange(4))


def tar_file(random: Random) -> File:
    """Return a tar archive, packed or not, with links, devices, odd names, wrong sizes and damage."""
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=random.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT))
    ) as archive:
        for _ in range(log_uniform(random, 1, 30)):
            info = tarfile.TarInfo(random.choice(NAMES)[:90].encode("ascii", "replace").decode())
            info.type = random.choice(
                (tarfile.REGTYPE,) * 6 + (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)
            )
            info.linkname = random.choice(NAMES)[:90].encode("ascii", "replace").decode() if info.issym() or info.islnk() else ""
            data = content(random) if info.isreg() else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = buffer.getvalue()
    if random.random() < 0.5:
        data = gzip.compress(data, 1, mtime=0)
    return random.choice(("faces.tar", "faces.tar.gz")), random.choice(
        (data, mutate(data, random), mutate(data, random), truncate(data, random))
    )


def npz(random: Random) -> File:
    """Return a table of faces as .npz with arrays missing, of other shapes and types, headers of any content, or pickles."""
    count = random.choice((0, 1, 5))
    arrays: dict[str, np.ndarray] = {
        "pixels": np.zeros((count, 48, 48), np.uint8),
        "labels": np.zeros(count, np.int8),
        "votes": np.zeros((count, 7), np.float32),
        "raters": np.zeros(count, np.float32),
    }
    arrays |= {name: np.full(count, "train") for name in ("splits", "names", "sources", "groups", "licences")}
    for name in random.sample(sorted(arrays), random.randrange(3)):
        del arrays[name]
    if arrays and random.random() < 0.4:
        arrays[random.choice(sorted(arrays))] = np.zeros(
            random.choice(((), (3,), (2, 2), (0, 9))), random.choice(("f8", "U1", "?", "c16"))
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, array in arrays.items():
            stored = io.BytesIO()
            np.save(stored, array)
            data = stored.getvalue()
            if random.random() < 0.15:
                shape = random.choice(
                    (b"(99999999999,)", b"(-1,)", b"(1e9,)", b"((((1,)", b"__import__('os')", b"(" + b"1," * 5000 + b")")
                )
                data = data.replace(b"(%d,)" % count, shape)
            elif random.random() < 0.1:
                data = random.choice(
                    (
                        b"\x80\x04N.",
                        data[: random.randrange(len(data))],
                        b"\x93NUMPY\x09\x09" + data[8:],
                        data.replace(b"|u1", b"|O "),
                    )
                )
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data)
    data = buffer.getvalue()
    return "table.npz", data if random.random() < 0.5 else random.choice((mutate(data, random), truncate(data, random)))


def manifest(random: Random) -> File:
    """Return a manifest of models whose entries lack keys or have other types, paths out of the folder, or are nested deep."""
    entry: dict[str, object] = {
        "name": "x",
        "role": "detector",
        "version": "1",
        "file": "x.tflite",
        "bytes": 1,
        "sha256": "0" * 64,
        "anchors": [[1, 2]],
    }
    odd: tuple[object, ...] = (
        None,
        1,
        -1,
        True,
        [],
        {},
        "",
        "../../etc/passwd",
        "/etc/passwd",
        "\0",
        "n" * 5000,
        [[]],
        10**400,
        1.5,
    )
    for _ in range(random.choice((0, 1, 1, 3))):
        entry[random.choice([*entry, "input", "temperature", "thresholds"])] = random.choice(odd)
    for name in random.sample(sorted(entry), random.choice((0, 0, 1))):
        del entry[name]
    entries: object = [entry] * random.choice((0, 1, 2))
    if random.random() < 0.3:
        entries = random.choice((*odd, [1], [None], ["x"], [[entry]], {"a": entry}))
    body: object = {"schema": random.choice((1, 1, 1, 2, "1", None)), "models": entries}
    if random.random() < 0.2:
        body = random.choice((*odd, {}, {"schema": 1}))
    data = json.dumps(body).encode()
    if random.random() < 0.3:
        depth = log_uniform(random, 10, 100_000)
        data = random.choice(
            (
                mutate(data, random),
                truncate(data, random),
                b"[" * depth,
                b'{"schema":1,"models":' * depth,
                b"\xff\xfe" + data,
                b"",
                b"9" * depth,
            )
        )
    return "manifest.json", data + b" " * random.randrange(99)


def packed_list(random: Random) -> File:
    """Return a model file with a damaged archive of word lists behind it, or none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in random.sample(("vocabulary.txt", "english.txt", "../x"), random.randint(0, 3)):
            archive.writestr(zipfile.ZipInfo(name), random.choice((b"a\nb\n", b"\xff\xfe", random.randbytes(300), b"\n" * 10**6)))
    data = random.randbytes(200) + buffer.getvalue()
    return "model.tflite", random.choice((data, mutate(data, random), mutate(data, random), truncate(data, random)))


def label_map(random: Random) -> File:
    """Return a label map in TOML or JSON of any shape."""
    depth = log_uniform(random, 10, 50_000)
    bodies = (
        b'Wut = "anger"', b'{"Wut": "anger"}', b'{"Wut": ["anger"]}', b"[]", b"1", b"{}", b"", b"x = 1\nx = 2", b'"" = "happy"',
        b"[" * depth, b"a=" + b"[" * depth, b"a." * depth + b"b=1", b'a = "\xff"', b'a = "' + b"x" * depth,
        b"a = 9" + b"9" * depth, b"\0" * depth,
    )  # fmt: skip
    body = random.choice(bodies)
    body = mutate(body, random) if random.random() < 0.5 else body + b"\n" * random.randrange(99)
    return random.choice(("labels.toml", "labels.json")), body


FAMILIES: tuple[Callable[[Random], File], ...] = (
    zip_file,
    csv_file,
    tar_file,
    npz,
    manifest,
    zip_file,
    packed_list,
    label_map,
    npz,
    zip_bomb,
)
