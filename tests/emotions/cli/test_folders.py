"""What is taken from folders: files by their content, whatever their names; what is passed over is counted."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotions.cli import main
from emotions.cli.files import expand
from emotions.cli.kinds import HEAD_BYTES, is_film, is_picture, is_sound
from emotions.cli.photo import SUFFIXES
from emotions.cli.speech import SUFFIXES as SOUND_SUFFIXES
from tests import clips, sounds
from tests.emotions.image.builders import encoded, noise

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "static" / "samples" / "obama.jpg"
PICTURES = ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
SOUNDS = {
    "wav": "pcm_s16le", "w64": "pcm_s16le", "aiff": "pcm_s16be", "au": "pcm_s16be", "caf": "pcm_s16be", "flac": "flac",
    "mp3": "libmp3lame", "mp2": "mp2", "adts": "aac", "ipod": "aac", "mp4": "aac", "mov": "aac",
    "matroska": "aac", "avi": "mp2", "mpegts": "aac", "mpeg": "mp2", "flv": "aac", "asf": "mp2", "wv": "wavpack",
    "tta": "tta", "voc": "pcm_u8", "sox": "pcm_s32le",
}  # fmt: skip
"""FFmpeg's name of a format -> a codec of it."""
APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        \0\2\0\0\0\x09\0\0\0\x32\0\0\x0e\xb0"
OTHERS = [
    APPLE_DOUBLE, b"", b"words", b"RIFF1234ABCD", b"\xff\xfe" + "words ".encode("utf-16-le") * 900, b"%PDF-1.7\n", b"PK\3\4" * 9,
    b"The skip, the free and the wide", b"\x7fELF" + bytes(999), bytes(5000), b"GIF", b"G" * 60, b"BM is text",
    b"\xff\xfb" * 2000, *(np.random.default_rng(seed).bytes(6000) for seed in range(40)),
]  # fmt: skip


def sound(form: str, codec: str) -> bytes:
    """Half a second of a tone."""
    tone = np.sin(np.arange(22050) / 20).astype(np.float32) / 4
    return sounds.encoded(np.stack([tone, tone]), form, codec, 44100, "stereo")


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_are_recognized(kind):
    head = encoded(kind, noise())[:HEAD_BYTES]
    assert is_picture(head) and not is_sound(head)


@pytest.mark.parametrize("form", SOUNDS)
def test_sounds_and_films_are_recognized(form):
    head = sound(form, SOUNDS[form])[:HEAD_BYTES]
    assert is_sound(head) and not is_picture(head)


@pytest.mark.parametrize("head", [b"#!AMR\n\x3c", b"#!AMR-WB\n", b"FORM\0\0\0\x20AIFC", b"dns.\0\0", b"OggS\0\2"])
def test_sounds_that_are_not_encoded_here_are_recognized(head):
    assert is_sound(head)


FILMS = {
    "mp4": "libx264", "mov": "libx264", "matroska": "libx264", "webm": "libvpx", "avi": "mpeg4", "mpegts": "mpeg2video",
    "mpeg": "mpeg2video", "mpeg2video": "mpeg2video", "flv": "flv", "asf": "wmv2",
}  # fmt: skip


@pytest.mark.parametrize("form", FILMS)
def test_films_are_recognized(form):
    data = clips.clip(clips.still_frames(3), form, FILMS[form])
    assert is_film(data[:HEAD_BYTES]) and not is_picture(data[:HEAD_BYTES])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animated_pictures_are_films_too(kind):
    first = noise().convert("RGB").resize((64, 48))
    second = first.transpose(Image.Transpose.ROTATE_180)
    for further in ([], [second]):
        buffer = io.BytesIO()
        first.save(buffer, kind, save_all=True, append_images=further, duration=100, **({"loop": 0} if further else {}))
        assert is_film(buffer.getvalue()[:HEAD_BYTES]) == bool(further) and is_picture(buffer.getvalue()[:HEAD_BYTES])


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "ipod", "matroska", "flv", "asf"])
def test_recordings_are_no_films(form):
    assert not is_film(sound(form, SOUNDS[form])[:HEAD_BYTES])


def test_a_transport_stream_may_begin_within_a_packet():
    assert is_sound(sound("mpegts", SOUNDS["mpegts"])[37:][:HEAD_BYTES])


def test_a_folder_of_films(tmp_path, capsys):
    for name, form in (("a.mp4", "mp4"), ("b", "matroska"), ("c.dat", "mpegts"), ("d.bin", "flv"), ("e.wmv", "asf")):
        (tmp_path / name).write_bytes(clips.clip(clips.still_frames(3), form, FILMS[form]))
    (tmp_path / "._a.mp4").write_bytes(APPLE_DOUBLE)
    (tmp_path / "f.ts").write_text("export const answer: number = 42;\n" * 100, encoding="utf-8")
    (tmp_path / "g.wav").write_bytes(sound("wav", "pcm_s16le"))
    shutil.copy(SAMPLE, tmp_path / "h.jpg")
    assert main(["video", str(tmp_path), "--summary", "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert [Path(line.split(",")[0]).name for line in printed.out.splitlines()[1:]] == ["a.mp4", "b", "c.dat", "d.bin", "e.wmv"]
    assert "4 files in folders passed over" in printed.err and "1 .ts" in printed.err and "1 .jpg" in printed.err


def test_other_files_are_not_recognized():
    assert not any(is_film(head) for head in OTHERS)
    assert not any(is_picture(head) or is_sound(head) for head in OTHERS)


def test_a_folder_of_pictures(tmp_path, capsys):
    """Suffixes of pictures, of other files and none; companions of macOS, one of which is a picture after all."""
    for name in ("a.jfif", "b.hif", "c.jpg", "d.thm", "noname", "._real.jpg", "below/e.JFIF"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLE, tmp_path / name)
    for name in ("._a.jfif", "._c.jpg", "below/._e.JFIF", "._notes.txt"):
        (tmp_path / name).write_bytes(APPLE_DOUBLE)
    for name in ("notes.txt", "more.txt", ".DS_Store", "sound.wav"):
        (tmp_path / name).write_bytes(b"words")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = expand([str(tmp_path), str(tmp_path)], SUFFIXES, is_picture)
    assert [Path(one.name).name for one in found[: len(found) // 2]] == [
        "._real.jpg", "a.jfif", "b.hif", "e.JFIF", "c.jpg", "d.thm", "noname"
    ]  # fmt: skip
    (line,) = capsys.readouterr().err.splitlines()
    assert "9 files" in line and "4 ._*" in line and "2 .txt" in line and "1 special" in line and "1 without suffix" in line


@pytest.mark.parametrize(("count", "text"), [(1, "1 linked folder"), (2, "2 linked folders")])
def test_linked_folders_are_not_entered_but_counted(tmp_path, capsys, count, text):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"a picture")
    (tmp_path / "folder").mkdir()
    for number in range(count):
        (tmp_path / "folder" / f"{number}.jpg").symlink_to("../elsewhere" if number else ".")
    [one] = expand([str(tmp_path / "folder")], SUFFIXES, is_picture)
    assert one.error.code == "no_files" and text in capsys.readouterr().err


@pytest.mark.slow
def test_folders_deeper_than_the_stack_of_python(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    depth = sys.getrecursionlimit() + 200
    for _ in range(depth):
        os.mkdir("d")
        os.chdir("d")
    Path("a.jpg").write_bytes(b"a picture")
    os.chdir(tmp_path)
    for name in ("d", "d/**/*.jpg", "d/**", "*/" * depth + "*.jpg"):
        assert [one.name for one in expand([name], SUFFIXES, is_picture)] == ["d/" * depth + "a.jpg"]
    assert capsys.readouterr().err == ""
    subprocess.run(["rm", "-r", "d"], check=True, timeout=60)  # pytest removes folders by recursion


def test_a_damaged_file_with_a_suffix_that_is_read_is_a_row(tmp_path, capsys):
    (tmp_path / "a.jfif").write_bytes(b"words")
    assert main(["photo", str(tmp_path), "--format", "jsonl"]) == 1
    output = capsys.readouterr()
    assert "not_an_image" in output.out and output.err == ""


def test_a_folder_of_sounds(tmp_path, capsys):
    names = ["a.aiff", "b.amr", "c.wav", "d.caf", "e.mp4", "f.au", "g.w64", "h.unknown", "i"]
    data = sound("wav", "pcm_s16le")
    for name in names:
        (tmp_path / name).write_bytes(data)
    (tmp_path / "film.mov").write_bytes(clips.clip(clips.still_frames(2)))
    (tmp_path / "picture.heic").write_bytes(encoded("HEIF", noise()))
    found = expand([str(tmp_path)], SOUND_SUFFIXES, is_sound)
    assert [Path(one.name).name for one in found] == [*names[:6], "film.mov", *names[6:]]
    assert "1 file in folders passed over" in capsys.readouterr().err


@pytest.mark.parametrize("count", [3, 9])
def test_kinds_that_are_passed_over_are_named_up_to_a_limit(tmp_path, capsys, count):
    for number in range(count):
        (tmp_path / f"a.k{number}").write_bytes(b"words")
    (tmp_path / "a.k0b.k0").write_bytes(b"words")
    assert expand([str(tmp_path)], SUFFIXES, is_picture)[0].error.code == "no_files"
    line = capsys.readouterr().err
    assert f"{count + 1} files" in line and "2 .k0," in line and ("4 others" in line) == (count == 9) and line.count("\n") == 1


def test_empty_folders_and_named_files_pass_over_nothing(tmp_path, capsys):
    (tmp_path / "words.txt").write_bytes(b"words")
    (tmp_path / "empty").mkdir()
    assert len(expand([str(tmp_path / "empty"), str(tmp_path / "words.txt")], SUFFIXES, is_picture)) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_standard_input_by_its_names(name):
    """A file, a pipe and a socket, as some programs give it to those that they start."""
    command = [sys.executable, "-m", "emotions", "photo", name, "--detector", "none"]
    here, there = socket.socketpair()
    with here, there, SAMPLE.open("rb") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdin=there, stdout=subprocess.PIPE)
        there.close()
        here.sendall(SAMPLE.read_bytes())
        here.shutdown(socket.SHUT_WR)
        out = [process.communicate()[0]]
        if name == "/dev/stdin":
            out.append(subprocess.run(command, cwd=ROOT, stdin=file, capture_output=True).stdout)
            out.append(subprocess.run(command, cwd=ROOT, input=SAMPLE.read_bytes(), capture_output=True).stdout)
    assert all(f'"file": "{name}", "width": 512'.encode() in one for one in out), out


def test_process_substitution():
    script = f"{sys.executable} -m emotions photo --detector none <(cat {SAMPLE}) <(cat {SAMPLE})"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.count(b'"width": 512, "height": 640, "faces"') == 2 and done.stderr == b""


def test_a_damaged_picture_of_another_suffix_is_a_row(tmp_path):
    picture = encoded("JPEG", Image.new("RGB", (64, 64)))[:300]
    (tmp_path / "a.dat").write_bytes(picture)
    assert [one.error for one in expand([str(tmp_path)], SUFFIXES, is_picture)] == [None]
