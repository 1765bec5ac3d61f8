"""Generators of hostile inputs: reproducible, distinct, of every kind, and hostile in the ways that they name."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from random import Random

import av
import pytest
from PIL import Image

from scripts.hostile.inputs import FAMILIES, KINDS, SLOTS, archives, build, forms, images, mutation, png, sounds, texts, videos
from scripts.hostile.inputs import requests as http
from scripts.hostile.inputs import seeds as valid
from web import create_app

ROOT = Path(__file__).resolve().parents[3]
COUNT = 600


@pytest.fixture(scope="module")
def inputs():
    return [build(4, number) for number in range(COUNT)]


def drawn(family, count: int = 200):
    """Draw `count` inputs of one family."""
    return [family(Random(f"test/{number}")) for number in range(count)]


def test_every_range_has_every_kind_and_family(inputs):
    assert {one.kind for one in inputs[:20]} == set(KINDS) == set(FAMILIES)
    counts = Counter(one.kind for one in inputs)
    assert min(counts.values()) >= COUNT // len(SLOTS) and counts["image"] == max(counts.values())
    for kind, families in FAMILIES.items():
        made = {one.family for one in inputs if one.kind == kind}
        assert len(made) == min(len(set(families)), counts[kind]), kind
    assert [one.number for one in inputs] == list(range(COUNT))


def test_inputs_are_distinct(inputs):
    assert len({one.request or one.payload for one in inputs}) == COUNT
    assert len({one.payload for one in inputs}) > 0.98 * COUNT
    other = {build(5, number).payload for number in range(100)}
    assert len(other & {one.payload for one in inputs}) < 5


def test_seed_and_number_give_the_same_bytes_in_another_process(inputs):
    code = (
        "import hashlib; from scripts.hostile.inputs import build\n"
        "for number in range(300, 500): one = build(4, number); print(hashlib.sha1(one.request + one.payload).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [hashlib.sha1(one.request + one.payload).hexdigest() for one in inputs[300:500]]


def test_requests_other_than_raw_http_are_well_formed(inputs):
    for one in inputs:
        if one.kind in ("http", "archive"):
            continue
        head, _, body = one.request.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        names = [line.partition(b":")[0].lower() for line in lines]
        assert first.count(b" ") == 2 and first.endswith(b" HTTP/1.1"), (one.number, first)
        assert all(b": " in line for line in lines) and b"host" in names and names.count(b"connection") == 1
        assert (b"content-length: %d" % len(body) in head.lower()) == first.startswith(b"POST ") or not body
        assert b"\0" not in first and one.end == "wait"


def test_every_address_that_takes_a_post_is_reached():
    app = create_app()
    posts = {rule.rule for rule in app.url_map.iter_rules() if "POST" in rule.methods}
    reached = {
        build(6, number).request.split(b" ")[1].split(b"?")[0].decode() for number in range(400) if SLOTS[number % 20] == "form"
    }
    assert posts <= set(forms.PATHS) and posts == reached
    pages = {rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and "<" not in rule.rule}
    assert pages <= set(forms.PAGES)


@pytest.mark.parametrize("kind", ["image", "video", "sound"])
def test_seeds_are_valid_files(kind):
    for name in {"image": valid.IMAGES, "video": valid.VIDEOS, "sound": valid.SOUNDS}[kind]:
        data = getattr(valid, kind)(name)
        if kind == "image":
            with Image.open(io.BytesIO(data)) as opened:
                opened.load()
            assert opened.size == (160, 120), name
        else:
            with av.open(io.BytesIO(data)) as opened:
                assert sum(1 for _ in opened.decode(**{"video" if kind == "video" else "audio": 0})) > 3, name


def test_mutations_change_and_stay_small():
    data = valid.image("png")
    made = [mutation.mutate(data, Random(number)) for number in range(300)]
    assert len(set(made)) > 290 and data not in made[:290] and max(map(len, made)) <= mutation.MAX_BYTES


def test_png_bombs_have_extreme_shapes_and_floods():
    sizes = [struct.unpack(">II", data[16:24]) for data in drawn(png.shape)]
    assert any(width * height > 120_000_000 for width, height in sizes) and any(width * height < 10**6 for width, height in sizes)
    assert any(width == 1 or height == 1 for width, height in sizes) and all(len(data) < 5000 for data in drawn(png.shape))
    assert max(data.count(b"IDAT") + data.count(b"tEXt") + data.count(b"abCd") for data in drawn(png.chunk_flood)) > 20_000
    with Image.open(io.BytesIO(png.flat(30, 20, 255))) as image:
        assert image.size == (30, 20) and image.getextrema() == (255, 255)
    assert any(len(data) < 60_000 for data in drawn(png.metadata_bomb, 20))


def test_pictures_of_all_formats_state_sizes_at_the_edges():
    assert any(struct.unpack("<H", data[6:8]) == (65535,) for data in drawn(images.gif))
    heights = [struct.unpack("<i", data[22:26])[0] for data in drawn(images.bmp) if len(data) >= 26]
    assert min(heights) < -100_000 and max(heights) > 10_000_000
    assert {data[:4] for data in drawn(images.tiff)} == {b"II*\0", b"MM\0*"}
    assert max(data.count(b"\xff\xda") for data in drawn(images.jpeg_segments)) > 500


def test_sounds_have_rates_channels_and_values_at_the_edges():
    made = [data for data in drawn(sounds.wav, 600) if data[12:16] == b"fmt "]
    channels, rates = (
        {struct.unpack(form, data[start:end])[0] for data in made} for form, start, end in (("<H", 22, 24), ("<I", 24, 28))
    )
    assert set(sounds.CHANNELS) <= channels and set(sounds.RATES) <= rates
    assert any(struct.pack("<f", 3e38) in data for data in drawn(sounds.float_wav, 50))


def test_flac_frames_and_ogg_sums_are_right():
    """A reader would drop frames and pages with wrong sums before anything hostile in them took effect."""
    head = struct.pack(">HH", 4096, 4096) + bytes(6) + ((16_000 << 44) | (15 << 36)).to_bytes(8, "big") + bytes(16)
    data = b"fLaC\x80\0\0\x22" + head + b"".join(sounds._constant_frame(number, 4096, 5) for number in range(200))
    with av.open(io.BytesIO(data)) as opened:
        frames = [frame.to_ndarray() for frame in opened.decode(audio=0)]
    assert sum(frame.shape[1] for frame in frames) == 200 * 4096 and {
        int(value) for frame in frames for value in frame.ravel()
    } == {5}
    page = bytearray(valid.sound("opus.ogg")[: 27 + 1 + 19])
    stored, page[22:26] = bytes(page[22:26]), bytes(4)
    assert struct.pack("<I", sounds._ogg_sum(bytes(page))) == stored
    assert any(b"\0\0\0\x22" in data[4:8] or data[4:8] == b"\x80\0\0\x22" for data in drawn(sounds.flac, 5))


def test_videos_have_other_boxes_and_enormous_frames():
    large = max(drawn(videos.large_frames, 40), key=len)
    with av.open(io.BytesIO(large)) as opened:
        assert opened.streams.video[0].width * opened.streams.video[0].height >= 64 * 8192
    assert len(large) < 100_000
    original = valid.video("mp4")
    assert all(data != original for data in drawn(videos.broken_index, 50))
    assert any(data.count(b"\x1f\x43\xb6\x75") > 1000 for data in drawn(videos.elements, 100))


def test_texts_reach_the_limit_and_leave_plain_characters():
    made = {family.__name__: drawn(family, 40) for family in texts.TEXTS}
    for name in ("spaces", "chat", "one_word", "prose", "emoji"):
        lengths = {len(text) for text in made[name]}
        assert max(lengths) > texts.MAX_CHARACTERS and min(lengths) < 1000, name
    assert any(len(text) - len("".join(text.split())) > texts.MAX_CHARACTERS - 9 for text in made["spaces"])
    assert any("\ud800" in text for text in made["surrogates"]) and any(text.count("\n") > 1000 for text in made["chat"])
    assert max(body.count(b"[") for body in drawn(texts.nested, 100)) > 50_000
    assert any(body.count(b'""') == 1000 for body in drawn(texts.many_texts, 300))


def test_forms_have_nameless_parts_and_wrong_boundaries():
    made = drawn(forms.odd_parts)
    assert (
        any(b"Content-Disposition: form-data\r\n" in body for body in made)
        and max(body.count(b"--a-boundary") for body in made) > 1000
    )
    assert any(b"multipart/form-data\r\n" in request for request in drawn(forms.boundaries))
    (kind, body), one = http.multipart([http.part("file", b"x", "a")]), http.post("/", b"x", "a/b")
    assert kind.endswith("a-boundary") and body.endswith(b"--a-boundary--\r\n") and one.endswith(b"\r\n\r\nx")


def test_archives_are_hostile_in_many_ways():
    names = {name for family in set(archives.FAMILIES) for name, _ in drawn(family, 12)}
    assert names == {"faces.zip", "fer2013.csv", "table.csv", "table.csv.gz", "faces.tar", "faces.tar.gz", "table.npz",
                     "manifest.json", "model.tflite", "labels.toml", "labels.json"}  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(max((data for _, data in drawn(archives.zip_bomb, 8)), key=len))) as archive:
        assert sum(info.file_size for info in archive.infolist()) > 100 * sum(info.compress_size for info in archive.infolist())
