"""Headers that promise much: refused by their price, or stopped while FFmpeg reads them, before the process grows."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from emotions.errors import TimeBudgetError
from emotions.runtime import movie_boxes
from emotions.runtime.ffmpeg import MeteredFile
from emotions.runtime.media_headers import MAX_BLOCKS, MAX_COMMENTS, MAX_ELEMENTS, MAX_STREAMS, HeaderError, header_cost
from emotions.runtime.memory import MB
from emotions.runtime.movie_boxes import (
    MAX_BOXES,
    MAX_CHUNK_TABLES,
    MAX_TABLES,
    MAX_TRACKS,
    PIECE,
    TableScan,
)
from emotions.runtime.tag_headers import ASF, ASF_LISTS, MAX_OBJECTS, MAX_SCRIPT_TAGS, SCRIPT_TAG, skip_id3
from emotions.runtime.time_budget import TimeBudget
from tests import clips
from tests.media_headers import (
    box,
    element,
    flac,
    flv,
    id3,
    matroska,
    movie,
    ogg,
    ogg_streams,
    short,
    vorbis_comments,
    wav,
)
from tests.sounds import encoded, voice_like

ROOT = Path(__file__).resolve().parents[3]
BLOCK = short(b"\xa3", b"\x81\0\0\x80\0")


def cost(data: bytes) -> int:
    return header_cost(io.BytesIO(data), len(data), 2**40).bytes


def fragments(samples: int, count: int = 1) -> bytes:
    """Fragments without tables, for `movie`."""
    track = box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)), box(b"trun", struct.pack(">II", 0, samples)))
    return box(b"moof", box(b"mfhd", bytes(8)), track) * count


def names(count: int) -> bytes:
    """Matroska's tags with `count` different names."""
    tags = (short(b"\x67\xc8", short(b"\x45\xa3", b"%x" % index) + short(b"\x44\x87", b"a")) for index in range(count))
    return element(b"\x12\x54\xc3\x67", element(b"\x73\x73", *tags))


def test_price_of_an_mp4_grows_with_its_samples():
    for count in (0, 1000, 10**6, 2**32 - 1):
        assert cost(movie(count)) == pytest.approx(40 * count, abs=20_000)
        assert cost(movie(1) + fragments(count)) == pytest.approx(40 * count, abs=30_000)
    assert cost(movie(1000, tracks=30)) == pytest.approx(30 * 40 * 1000, rel=0.5)
    assert cost(movie(10**6, edits=3)) == pytest.approx(4 * 40 * 10**6, rel=0.1)
    assert cost(movie(1) + fragments(1, 10_000)) > 10_000 * 1000
    sound = movie(2**31, kind=b"soun", codec=b"twos", duration=1)  # uncompressed: a piece for 1,024 samples
    assert cost(sound) == pytest.approx(40 * 2**21, rel=0.01)


@pytest.mark.parametrize(
    ("samples", "edits", "is_followed"),
    [(10, 1000, True), (10, 1001, False), (10**5, 10, True), (10**5, 11, False), (10**9, 4, True)],
)
def test_edit_lists_are_followed_as_far_as_their_price_permits(samples, edits, is_followed):
    found = header_cost(io.BytesIO(movie(samples, edits=edits)), 10**5, 2**40)
    assert found.options == ({} if is_followed else {"advanced_editlist": "0"})
    assert not is_followed or found.bytes >= 40 * samples * edits


def test_compressed_header_is_refused():
    with pytest.raises(HeaderError, match="compressed"):
        cost(movie(1, further=box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", bytes(100)))))


def test_ordinary_files_are_cheap():
    files = [clips.clip(clips.still_frames(20), kind, codec) for kind, codec in (("mp4", "libx264"), ("webm", "libvpx"))]
    files += [encoded(voice_like(1.0, 48_000), *kind, 48_000) for kind in (("flac", "flac"), ("ogg", "libopus"), ("mp4", "aac"))]
    assert all(cost(data) < 100_000 for data in files)


def test_comments_are_counted_wherever_they_stand():
    for make in (
        lambda count: flac(16_000, 4096, comments=count),
        lambda count: ogg([b"head", b"\3vorbis" + vorbis_comments(count), b"end"]),
        lambda count: ogg([b"head", vorbis_comments(count)]),
        # pages inside of a damaged page, where FFmpeg finds them
        lambda count: b"OggS\0\0" + bytes(20) + b"\xff" + b"\xff" * 255 + ogg([b"head", vorbis_comments(count)]),
    ):
        assert cost(make(MAX_COMMENTS // 2)) == 0
        with pytest.raises(HeaderError, match="comments"):
            cost(make(MAX_COMMENTS + 500))


def test_packets_of_sound_are_not_taken_for_comments():
    assert cost(ogg([bytes([61]) * 4000] * 50)) == 0


def test_header_of_matroska_is_bounded_before_its_first_cluster():
    assert cost(matroska(names(1000), BLOCK)) == 0
    with pytest.raises(HeaderError, match="too long"):
        cost(matroska(names(20_000), BLOCK))
    assert cost(matroska(element(b"\x1c\x53\xbb\x6b", bytes(10**6)), BLOCK)) == pytest.approx(40 * 10**6, rel=0.1)  # cues
    assert cost(matroska(element(b"\xec", bytes(10**6)), BLOCK)) == 0  # padding
    with pytest.raises(HeaderError, match="damaged"):
        cost(matroska(b"\0\0\0", BLOCK))


class CountingFile(io.BytesIO):
    """A file that counts how often it is read, and the most bytes at once."""

    reads = largest = 0

    def read(self, count: int | None = -1, /) -> bytes:
        data = super().read(count)
        self.reads += 1
        self.largest = max(self.largest, len(data))
        return data


FEW = 20_000
"""Instead of the limits of boxes and fragments, which take seconds while memory is traced."""
FILM = box(b"ftyp", b"qt  ")
EMPTY_CUES = b"\x1c\x53\xbb\x6b\x80"
FLOODS = {
    "tracks": (lambda count: FILM + box(b"moov", box(b"trak") * count), MAX_TRACKS, "tracks"),
    "tables": (lambda count: FILM + box(b"moov", b"stsz" * count), MAX_TABLES - 1, "tables of samples"),
    "kinds": (lambda count: FILM + box(b"moov", b"vide" * count), MAX_TABLES - 1, "tables of samples"),
    "fragments": (lambda count: FILM + box(b"moof", b"trun" * (count - 1)), FEW, "tables of fragments"),
    "tables of chunks": (lambda count: FILM + box(b"moov", b"stsc" * count), MAX_CHUNK_TABLES, "tables of chunks"),
    "boxes": (lambda count: FILM + box(b"free") * (count - 1), FEW, "boxes"),
    "cues": (lambda count: element(b"\x1a\x45\xdf\xa3") + EMPTY_CUES * (count - 1), MAX_ELEMENTS, "elements"),
    "segments": (lambda count: element(b"\x1a\x45\xdf\xa3") + b"\x18\x53\x80\x67\xff" * (count - 1), MAX_ELEMENTS, "elements"),
    "attachments": (lambda count: matroska(b"\x19\x41\xa4\x69\x80" * (count - 5), BLOCK), MAX_ELEMENTS, "elements"),
    "blocks of FLAC": (lambda count: b"fLaC" + b"\1\0\0\0" * count, MAX_BLOCKS, "metadata blocks"),
    "streams of Ogg": (ogg_streams, MAX_STREAMS, "streams"),
    "script tags": (lambda count: flv(bytes([SCRIPT_TAG]) * count), MAX_SCRIPT_TAGS, "tags with words"),
    "lists of Windows Media": (lambda count: ASF + next(iter(ASF_LISTS)) * count, MAX_OBJECTS, "lists of words"),
}
"""What makes a file with that many entries, how many are read, and how more are called."""


@pytest.mark.parametrize("name", FLOODS)
def test_entries_are_counted_and_bounded(name, monkeypatch):
    assert movie_boxes.MAX_BOXES > FEW < movie_boxes.MAX_FRAGMENT_TABLES
    monkeypatch.setattr(movie_boxes, "MAX_BOXES", FEW)
    monkeypatch.setattr(movie_boxes, "MAX_FRAGMENT_TABLES", FEW)
    make, most, words = FLOODS[name]
    allowed = make(most)
    assert header_cost(io.BytesIO(allowed), len(allowed), 2**40).bytes >= 0
    file = CountingFile(make(most + 1))
    tracemalloc.start()
    with pytest.raises(HeaderError, match=words):
        header_cost(file, len(file.getbuffer()), 2**40)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * MB and file.largest < MB


@pytest.mark.parametrize(
    ("name", "count"),
    [("tracks", 10**6), ("cues", 10**6), ("segments", 10**6), ("blocks of FLAC", 10**6), ("streams of Ogg", 2 * 10**5),
     ("script tags", 2 * 10**5)],
)  # fmt: skip
def test_steps_do_not_grow_beyond_the_limit(name, count):
    make, most, words = FLOODS[name]
    reads = []
    for entries in (most + 1, count):
        file = CountingFile(make(entries))
        with pytest.raises(HeaderError, match=words):
            header_cost(file, len(file.getbuffer()), 2**40)
        reads.append(file.reads)
    assert reads[0] <= reads[1] <= reads[0] + 1


class CountingBudget(TimeBudget):
    """A budget that counts its checks."""

    checks = 0

    def check(self) -> None:
        self.checks += 1
        super().check()


LONG_COMMENT = b"fLaC\4" + (2**24 - 1).to_bytes(3, "big") + bytes(2**24 - 1)
LONG = {
    "boxes": FILM + box(b"free") * 10**5,
    "fragments": FILM + box(b"moof", b"trun" * 10**5),
    "zeros": FILM + box(b"moov", bytes(3 * 10**6)),
    "tables": FILM + box(b"moov", b"stsz" * 50_000),
    "comments of FLAC": LONG_COMMENT,
    "Ogg": ogg_streams(1) * 10**5,
    "empty Ogg": b"OggS" + bytes(10**7),
    "tags": flv(b"\x09" * 10**5),
    "Windows Media": ASF + bytes(10**7),
}
"""Files that are read to their end, and take thousands of steps or megabytes."""


@pytest.mark.parametrize("name", LONG)
def test_spent_time_ends_a_scan(name):
    data = LONG[name]
    with CountingBudget(1000.0) as budget:
        header_cost(io.BytesIO(data), len(data), 2**40)
    assert budget.checks >= min(10, len(data) // 2**18)
    with pytest.raises(TimeBudgetError), TimeBudget(1.0) as budget:
        budget.charge(2.0)
        header_cost(io.BytesIO(data), len(data), 2**40)


def test_spent_time_ends_the_search_for_tags():
    data = id3(0) * 2000
    assert skip_id3(io.BytesIO(data)) == len(data)
    with pytest.raises(TimeBudgetError), TimeBudget(1.0) as budget:
        budget.charge(2.0)
        skip_id3(io.BytesIO(data))


def test_boxes_are_counted_beyond_the_price_that_matters():
    data = FILM + box(b"moov", bytes(10**5)) + box(b"free") * MAX_BOXES
    with pytest.raises(HeaderError, match="boxes"):
        header_cost(io.BytesIO(data), len(data), 10**5)


@pytest.mark.parametrize("shift", [0, 5, 9, 13, 24])
def test_tables_are_found_across_pieces(shift):
    header = movie(1000, tracks=2, edits=2)
    data = FILM + box(b"skip", bytes(8)) + box(b"udta", bytes(PIECE - header.index(b"stsz") - shift)) + header
    assert cost(data) == pytest.approx(12 * len(data) + 2 * 3 * 40 * 1000, abs=30_000)


def test_names_that_overlap_are_found():
    scan = TableScan(io.BytesIO(b"\0sttstsz" + bytes(11) + b"\7"))
    scan.scan(0, 20)
    assert scan.samples == 7


@pytest.mark.parametrize("rows", [1, 8191, 8192, 8193, 20_000])
def test_long_tables_of_chunks_are_summed(rows):
    """Each run has two chunks of 1,025 samples, which make two pieces each."""
    table = b"".join(struct.pack(">III", 1 + 2 * row, 1025, 1) for row in range(rows))
    tables = b"soun" + box(b"stts", struct.pack(">IIII", 0, 1, 1, 1)) + box(b"stco", struct.pack(">II", 0, 2 * rows))
    data = box(b"trak", tables, box(b"stsc", struct.pack(">II", 0, rows), table))
    scan = TableScan(io.BytesIO(data))
    scan.scan(0, len(data))
    assert scan.samples == 4 * rows


def test_table_of_chunks_at_the_end_of_a_track_is_empty():
    data = box(b"trak", b"soun", box(b"stts", struct.pack(">IIII", 0, 1, 1, 1)), b"stsc")
    assert cost(FILM + box(b"moov", data)) == cost(FILM + box(b"moov", data[:-4] + b"nope"))


def test_tags_at_the_start_are_skipped():
    for tags in (b"", id3(0), id3(100), id3(3) + id3(4)):
        assert skip_id3(io.BytesIO(tags + b"\xff\xfb\x90\0" * 10)) == len(tags)


def test_hidden_bytes_are_replaced():
    data = bytes(range(200))
    for place in range(20, 60):
        file = MeteredFile(io.BytesIO(data), 0, 10, {place: b"JUNK"})
        expected = data[10 : 10 + place] + b"JUNK" + data[14 + place :]
        assert b"".join(iter(lambda file=file: file.read(7), b"")) == expected
        assert file.seek(place - 2) == place - 2 and file.read(8) == expected[place - 2 : place + 6] and file.tell() == place + 6


TRACKS = element(b"\x16\x54\xae\x6b", b"\xae\x80" * 10**6)
LISTS = element(b"\x12\x54\xc3\x67", element(b"\x73\x73", b"\x67\xc8\x80" * 10**6) * 3)
WORDS = b"INFO" + b"".join(b"%04x\2\0\0\0a\0" % index for index in range(2**16))
CASES = {
    "samples": movie(10**8), "tracks": movie(10**6, tracks=50), "edits": movie(10**5, edits=10**4),
    "fragments": movie(1) + fragments(1, 10**5), "samples of a fragment": movie(1) + fragments(2**28),
    "tracks of Matroska": matroska(b"", BLOCK, TRACKS), "lists of Matroska": matroska(b"", BLOCK, LISTS),
    "names": matroska(b"", BLOCK, names(10**5)), "empty packets": matroska(b"", BLOCK * 10**6),
    "sound in empty packets": matroska(b"", BLOCK * 10**5, codec=b"A_OPUS"), "blocks of FLAC": flac(1000, 65_535, frames=100),
    "sound of 32 channels": wav(bytes(2**24), 32, 384_000, 32, 3),
    "words of WAV": wav(bytes(100), extra=b"LIST" + struct.pack("<I", len(WORDS)) + WORDS),
}  # fmt: skip

OPEN_ALL = """
import json, sys, time
from pathlib import Path
from emotions.errors import CodedError
from emotions.runtime.limits import SERVER, set_limits
from emotions.runtime.memory import resident_bytes
from emotions.speech.audio import open_audio
from emotions.speech.pieces import read_pieces
from emotions.video.reader import VideoReader

set_limits(SERVER)
for data in (Path("tests/data/av1.webm"), Path("tests/data/buzz.flac")):  # load FFmpeg
    try:
        with open_audio(data) as audio:
            list(read_pieces(audio))
    except CodedError:
        with VideoReader(data) as video:
            list(video.frames())
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    data, grown, codes = path.read_bytes(), [], []
    for kind in ("sound", "video"):
        Path("/proc/self/clear_refs").write_text("5")
        before = resident_bytes()
        try:
            if kind == "sound":
                with open_audio(data) as audio:
                    for _ in read_pieces(audio):
                        pass
            else:
                with VideoReader(data) as video:
                    for _ in video.frames():
                        pass
            codes.append("read")
        except CodedError as error:
            codes.append(error.code)
        peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        grown.append(int(peak.split()[1]) * 1024 - before)
    found[path.name] = [max(grown), codes]
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory with Linux's /proc")
def test_the_process_hardly_grows(tmp_path):
    for name, data in CASES.items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run([sys.executable, "-c", OPEN_ALL, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found.keys() == CASES.keys()
    assert {name: grown for name, (grown, _) in found.items() if grown > 100 * MB} == {}
    assert found["empty packets"][1][1] == "too_much_memory" and found["sound of 32 channels"][1][0] == "read", found
