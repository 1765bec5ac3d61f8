"""The command line with special files, full disks, closed streams and signals: clear lines, exit codes, no traceback."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from emotions.cli import files, main, patterns, photo
from emotions.cli import text as text_command
from emotions.cli.parser import COMMANDS
from emotions.runtime.limits import get_limits
from emotions.runtime.manifest import BUNDLED
from tests import clips

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "static" / "samples" / "obama.jpg"
SUFFIX = {"photo": ".jpg", "video": ".mp4", "text": ".txt", "speech": ".wav"}
"""A suffix that each command takes from folders."""
NAMES = [module.NAME for module in COMMANDS]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command in this process, in an empty folder; returns the exit code and the rows."""
    monkeypatch.chdir(tmp_path)

    def start(*words: object) -> tuple[int, list[dict]]:
        before = get_limits()
        code = main([str(word) for word in words])
        assert get_limits() == before
        output = capsys.readouterr()
        assert output.err == "" or ("passed over" in output.err and output.err.count("\n") == 1)
        return code, [json.loads(line) for line in output.out.splitlines()]

    return start


def shell(script: str, **variables: object) -> tuple[int, str, str]:
    """Run a line of bash in which `emotions` is the command line; returns exit code, standard output and standard error."""
    script = f'emotions() {{ {sys.executable} -m emotions "$@"; }}; {script}'
    environ = os.environ | {name: str(value) for name, value in variables.items()}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def codes(rows: list[dict]) -> list[str | None]:
    return [row.get("error", {}).get("code") for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_devices_and_sockets_are_refused(run, name, tmp_path):
    (tmp_path / "link").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        code, rows = run(name, "/dev/zero", "/dev/full", "/dev/null", "link", "socket", "link/x")
    assert code == 1 and codes(rows) == ["not_a_file"] * 5 + ["unreadable_file"]
    assert "device" in rows[0]["error"]["message"] and "socket" in rows[4]["error"]["message"]


def feed(path: Path, data: bytes) -> threading.Thread:
    """Write into a pipe once it is read; the reader may go before the end."""

    def write() -> None:
        with suppress(BrokenPipeError):
            path.write_bytes(data)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.fixture(scope="module")
def good_files(tmp_path_factory) -> dict[str, bytes]:
    """A small file for each command."""
    sound = tmp_path_factory.mktemp("sound") / "a.wav"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000 * 3))
    video = clips.clip(clips.still_frames(3))
    return {"photo": SAMPLE.read_bytes(), "video": video, "text": b"I love it!", "speech": sound.read_bytes()}


@pytest.mark.parametrize("name", NAMES)
def test_named_pipes_are_read(run, name, good_files):
    os.mkfifo("pipe")
    thread = feed(Path("pipe"), good_files[name])
    code, rows = run(name, "pipe")
    thread.join()
    assert code == 0 and codes(rows)[-1] is None and rows[0]["file"] == "pipe"


def test_named_pipes_are_read_by_the_parent_of_worker_processes(run, good_files):
    os.mkfifo("pipe")
    thread = feed(Path("pipe"), good_files["photo"])
    code, rows = run("photo", "pipe", SAMPLE, "--processes", "2", "--detector", "none")
    thread.join()
    assert code == 0 and rows[0]["faces"][0]["probabilities"] == rows[1]["faces"][0]["probabilities"]


@pytest.mark.parametrize("name", ["photo", "video", "speech"])
def test_pipes_are_read_up_to_the_limit(run, name):
    os.mkfifo("pipe")
    thread = feed(Path("pipe"), bytes(3 * 2**20))
    code, rows = run(name, "pipe", "--max-file-mb", "2")
    thread.join()
    assert code == 1 and codes(rows) == ["file_too_large"] and "2 MB" in rows[0]["error"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["photo", "video", "speech", "text", "text --lines"])
def test_endless_standard_input_is_read_up_to_the_limit(name):
    limit = "--max-characters 1000" if name.startswith("text") else "--max-file-mb 2"
    code, out, _ = shell(f"head -c 2G /dev/zero | emotions {name} - {limit}")
    assert code == 1 and codes([json.loads(line) for line in out.splitlines()])[-1] in ("file_too_large", "text_too_long")


def test_lines_that_are_too_long_are_rows(run, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"I love it\n" + b"a" * 5000 + b"\nso sad\n" + "\u4f60".encode() * 5000)
    code, rows = run("text", "--lines", "--max-characters", "1000", "a.txt")
    assert code == 1 and [(row["line"], row.get("emotion")) for row in rows] == [(1, "happy"), (2, None), (3, "sad"), (4, None)]
    assert codes(rows) == [None, "text_too_long", None, "text_too_long"]


@pytest.fixture(params=NAMES)
def strange_folder(request, tmp_path, good_files) -> Iterator[tuple[str, Path]]:
    """A folder with one good file among special ones and links, all with a suffix that the command takes."""
    folder, suffix = tmp_path / "strange", SUFFIX[request.param]
    (folder / "below" / "deep").mkdir(parents=True)
    (folder / f"good{suffix}").write_bytes(good_files[request.param])
    os.mkfifo(folder / f"pipe{suffix}")
    (folder / f"folder{suffix}").mkdir()
    (folder / f"device{suffix}").symlink_to("/dev/zero")
    (folder / f"self{suffix}").symlink_to(f"self{suffix}")
    (folder / f"broken{suffix}").symlink_to("gone")
    for name in ("up", "here", "there"):
        (folder / "below" / name).symlink_to("..")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / f"socket{suffix}"))
        yield request.param, folder


def test_folders_with_special_files(run, strange_folder):
    name, folder = strange_folder
    code, rows = run(name, folder)
    found = {Path(row["file"]).stem: error for row, error in zip(rows, codes(rows), strict=True)}
    assert code == 1 and found == {"broken": "unreadable_file", "self": "unreadable_file", "good": None}


def test_patterns_below_links_end(strange_folder):
    _, folder = strange_folder
    found = patterns.matches(f"{folder}/**/*{'[.]'}*")
    assert len(found) == len(set(found)) == 7 and not any("/up/" in path for path in found)
    for pattern in (f"{folder}/**", f"{folder}/*[.]*", f"{folder}/**/*[.]*"):
        expanded = files.expand([pattern], frozenset(SUFFIX.values()))
        names = {Path(one.name).stem for one in expanded if getattr(one.error, "code", "") != "no_files"}
        assert names == {"good", "broken", "self"}, pattern


def test_patterns_match_as_those_of_glob(tmp_path, monkeypatch):
    import glob

    monkeypatch.chdir(tmp_path)
    chooser = random.Random(0)
    names = ["a", "b", "ab", ".h", "c.jpg", "d.JPG", "[x]", "\u00e9"]
    for _ in range(60):
        folder = Path(*chooser.choices(names[:5], k=chooser.randrange(1, 4)))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / chooser.choice(["x", *names[5:]])
        if not file.exists():
            file.touch()
    parts = ["*", "?", "**", "a", "b", "*.jpg", "[ab]", ".*", "a*", "[!a]", "*b", ".", "[[]x]"]
    for _ in range(500):
        pattern = "/".join(chooser.choices(parts, k=chooser.randrange(1, 5)))
        pattern = pattern if chooser.random() < 0.8 else f"{tmp_path}/{pattern}"
        if patterns.has_pattern(pattern):
            expected = {path.rstrip("/") for path in glob.glob(pattern, recursive=True)} - {""}
            assert patterns.matches(pattern) == sorted(expected), pattern


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_unreadable_folders_are_rows(run, tmp_path):
    (tmp_path / "all" / "closed").mkdir(parents=True)
    (tmp_path / "all" / "closed").chmod(0)
    (tmp_path / "all" / "a.txt").write_text("I love it", encoding="utf-8")
    code, rows = run("text", "all", "all/closed", "all/closed/a.txt")
    assert code == 1 and codes(rows) == [None, "unreadable_file", "unreadable_file", "unreadable_file"]


def test_names_that_no_file_can_have(run):
    code, rows = run("photo", "x" * 300, "a/" * 3000, "\udcff\n\t", "")
    assert code == 1 and codes(rows)[0] == "unreadable_file" and set(codes(rows)) <= {"unreadable_file", "file_not_found"}


ODD_NAMES = [os.fsdecode(b"caf\xe9"), "\u7b11", "new\nline", "tab\t", "\x1b[31mred", "'; rm", "-", "a" * 200, "\u202eltr", " "]


@pytest.mark.parametrize(
    ("encoding", "format_name"),
    [
        *((encoding, "jsonl") for encoding in ("latin-1", "cp1252", "ascii", "utf-16", "utf-8:strict")),
        *((encoding, format_name) for encoding in ("ascii", "utf-16") for format_name in ("csv", "table")),
    ],
)
def test_any_name_in_any_encoding(tmp_path, encoding, format_name):
    for name in ODD_NAMES:
        (tmp_path / f"{name}.txt").write_bytes(b"\xff")
    (tmp_path / "good.txt").write_text("I love it", encoding="utf-8")
    command = [sys.executable, "-m", "emotions", "text", str(tmp_path), "--format", format_name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding})
    text = done.stdout.decode(encoding.partition(":")[0])
    assert done.returncode == 1 and done.stderr == b"" and "\x1b" not in text * (format_name != "csv")
    if format_name == "jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
        assert {Path(row["file"]).stem for row in rows} == {*ODD_NAMES, "good"}
    elif format_name == "table":
        assert len(text.splitlines()) == len(ODD_NAMES) + 2


NO_SPACE = "emotions: the results cannot be written: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["photo", "text", *(pytest.param(name, marks=pytest.mark.slow) for name in ("video", "speech"))])
def test_full_disks_and_closed_streams(name):
    words = f"emotions {name} gone.jpg {SAMPLE}"
    assert shell(f"{words} > /dev/full")[::2] == (1, NO_SPACE)
    assert shell(f"{words} >&-")[::2] == (1, "emotions: the results cannot be written: Bad file descriptor\n")
    assert shell(f"set -o pipefail; {words} | true")[::2] == (1, "")
    code, out, _ = shell(f"emotions {name} - <&-")
    assert code == 1 and codes([json.loads(out)]) == ["file_not_found"]


@pytest.mark.parametrize("words", ["video --format table", "text --format csv > /dev/full 2"])
def test_full_disks_in_other_formats(words):
    assert shell(f"emotions {words}> /dev/full gone")[0] == 1


@pytest.mark.slow
def test_help_and_wrong_words_without_a_place_to_print():
    assert shell("emotions photo --help > /dev/full")[::2] == (1, NO_SPACE)
    for stream in ("2> /dev/full", "2>&-", "2> >(true)"):
        assert shell(f"emotions photo --nope {stream}")[0] == 2
    assert shell("emotions photo x --head nope 2> /dev/full")[0] == 2


@pytest.mark.parametrize("option", ["--annotate", "--chart"])
@pytest.mark.parametrize("target", ["/dev/full", "/dev/null/below", "file", "file/below", "/proc/new"])
def test_folders_for_outputs_that_cannot_be_made(option, target, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    code = main(["video", str(SAMPLE), option, target])
    output = capsys.readouterr()
    assert (
        code == 2
        and output.out == ""
        and output.err.startswith("emotions: cannot make the folder ")
        and output.err.count("\n") == 1
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    ["photo --processes 1 --annotate", "photo --processes 2 --annotate", "video --fps 1 --annotate", "video --fps 1 --chart"],
)
def test_outputs_on_a_full_disk_are_rows(words, tmp_path, good_files):
    """The limit on the size of files fails as a full disk does."""
    name = words.split()[0]
    source = tmp_path / f"a{SUFFIX[name]}"
    source.write_bytes(good_files[name])

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    command = [sys.executable, "-m", "emotions", *words.split(), str(tmp_path / "out"), "--format", "jsonl", str(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, preexec_fn=limit, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert codes([json.loads(line) for line in done.stdout.splitlines()])[-1] == "output_failed"
    assert list((tmp_path / "out").iterdir()) == []


def test_outputs_into_a_folder_that_goes(run, tmp_path, monkeypatch):
    real = photo.analyze

    def remove_and_analyze(job: photo.Job) -> dict:
        shutil.rmtree(tmp_path / "gone")
        return real(job)

    monkeypatch.setattr(photo, "analyze", remove_and_analyze)
    code, (row,) = run("photo", SAMPLE, "--annotate", tmp_path / "gone")
    assert code == 1 and row["error"]["code"] == "output_failed"


def test_an_annotated_image_that_cannot_be_moved(run, tmp_path, monkeypatch):
    real = photo.analyze

    def analyze_and_remove(job: photo.Job) -> dict:
        record = real(job)
        shutil.rmtree(tmp_path / "gone")
        return record

    monkeypatch.setattr(photo, "analyze", analyze_and_remove)
    code, (row,) = run("photo", SAMPLE, "--annotate", tmp_path / "gone")
    assert code == 1 and row["error"]["code"] == "output_failed" and not (tmp_path / "gone").exists()


def test_files_that_vanish_are_rows(run, monkeypatch, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("I love it", encoding="utf-8")
    real = files.expand

    def expand_and_delete(*words: object) -> list[files.Input]:
        found = real(*words)
        (tmp_path / "1.txt").unlink()
        return found

    monkeypatch.setattr(text_command, "expand", expand_and_delete)
    code, rows = run("text", ".")
    assert code == 1 and codes(rows) == [None, "unreadable_file", None]


def test_a_folder_of_a_thousand_files_of_which_some_are_broken(run, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(1000):
        data = b"I love it" if number % 20 else random.Random(number).randbytes(50) + b"\xff"
        (tmp_path / "many" / f"{number:04}.txt").write_bytes(data)
    code, rows = run("text", "many")
    assert code == 1 and len(rows) == 1000 and codes(rows).count("not_text") == 50
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)


@pytest.mark.slow
def test_photos_of_which_some_are_broken_in_worker_processes(run, tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(40):
        path = tmp_path / "many" / f"{number:04}.png"
        Image.new("RGB", (24, 24), (number, 99, 9)).save(path)
        if number % 20 == 0:
            path.write_bytes(path.read_bytes()[:40])
    code, rows = run("photo", "many", "--processes", "2", "--detector", "none")
    assert code == 1 and len(rows) == 40 and sum(code is not None for code in codes(rows)) == 2


@pytest.mark.parametrize(
    ("name", "option", "code"),
    [
        ("photo", ["--max-file-mb", "0.01"], "file_too_large"),
        ("photo", ["--max-megapixels", "0.1"], "too_many_pixels"),
        ("photo", ["--decode-mb", "1"], "too_much_memory"),
        ("photo", ["--max-megapixels", "0.1", "--processes", "2"], "too_many_pixels"),
        ("video", ["--max-megapixels", "0.01"], "too_many_pixels"),
        ("speech", ["--max-file-mb", "0.01"], "file_too_large"),
        ("speech", ["--max-seconds", "2"], "sound_too_long"),
        ("text", ["--max-characters", "9"], "text_too_long"),
    ],
)  # fmt: skip
def test_limits_are_options(run, name, option, code, tmp_path, good_files):
    path = tmp_path / f"a{SUFFIX[name]}"
    path.write_bytes(good_files[name])
    assert codes(run(name, path, *option)[1]) == [code]
    assert run(name, path)[0] == 0


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e99", "many", ""])
@pytest.mark.parametrize("option", ["--max-file-mb", "--max-megapixels", "--decode-mb"])
def test_limits_that_are_no_numbers(option, value, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["photo", "x", f"{option}={value}"])
    assert stopped.value.code == 2 and option in capsys.readouterr().err


@pytest.fixture(scope="module")
def installation(tmp_path_factory) -> Path:
    """A copy of the package with links to its models."""
    folder = tmp_path_factory.mktemp("installation")
    shutil.copytree(ROOT / "emotions", folder / "emotions", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "models").mkdir()
    for path in BUNDLED.glob("*.tflite"):
        (folder / "models" / path.name).symlink_to(path)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("words", ["photo", "photo --processes 2", "video", "text", "speech"])
@pytest.mark.parametrize("damage", ["no manifest", "no entries", "no thresholds", "no file"])
def test_damaged_models_end_the_run(installation, words, damage, good_files):
    manifest = json.loads((BUNDLED / "manifest.json").read_text(encoding="utf-8"))
    name = words.split()[0]
    for one in manifest["models"]:
        if damage == "no thresholds":
            one.pop("thresholds", None)
        if damage == "no file":
            one["file"] = "gone.tflite"
    if damage == "no entries":
        manifest["models"] = []
    (installation / "models" / "manifest.json").write_text(
        "" if damage == "no manifest" else json.dumps(manifest), encoding="utf-8"
    )
    source = installation / f"a{SUFFIX[name]}"
    source.write_bytes(good_files[name] if name != "speech" else (ROOT / "tests" / "data" / "buzz.flac").read_bytes())
    command = [sys.executable, "-m", "emotions", *words.split(), "--format", "jsonl", str(source)]
    done = subprocess.run(command, cwd=installation, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("\n") == 1, done.stderr


# Signals: the processes of a command are a group of their own, as in a terminal.


@pytest.fixture(scope="module")
def many_photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(300):
        (folder / f"{number}.jpg").symlink_to(SAMPLE)
    return folder


def start(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "emotions", *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_handler(process: subprocess.Popen) -> None:
    """Wait until the command catches SIGTERM: from then on it promises to end in order."""
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)


def left_of_group(group: int) -> list[str]:
    """Processes of a group that are still there after a while."""
    for _ in range(100):
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(path.parent.name)
        if not found:
            return []
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize(
    ("number", "expected", "delay"),
    [
        *((signal.SIGINT, 130, delay) for delay in (0.0, 1.5)),
        (signal.SIGTERM, 143, 0.5),
        *(pytest.param(signal.SIGINT, 130, 0.15 * step, marks=pytest.mark.slow) for step in range(1, 30, 4)),
        *(pytest.param(signal.SIGTERM, 143, 0.4 * step, marks=pytest.mark.slow) for step in range(2, 9, 3)),
    ],
)
def test_signals_at_any_time(many_photos, tmp_path, processes, number, expected, delay):
    process = start("photo", many_photos, "--processes", processes, "--annotate", tmp_path / "out", "--format", "jsonl")
    wait_for_handler(process)
    time.sleep(delay)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # a terminal sends it to all processes
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    # A shell calls both 130 or 143: the code, and an end by the signal itself, as of Python while it starts or ends.
    assert (process.returncode in (expected, -number), err) == (True, ""), process.returncode
    assert all(json.loads(line) for line in out.splitlines()) and left_of_group(process.pid) == []
    written = list((tmp_path / "out").glob("*"))  # a run that ended early has made no folder
    assert not [path for path in written if path.name.startswith(".")]
    for path in written:
        with Image.open(path) as image:
            image.load()


@pytest.mark.slow
def test_worker_processes_end_with_their_parent(many_photos):
    process = start("photo", many_photos, "--processes", "3", "--format", "jsonl")
    assert process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    assert left_of_group(process.pid) == []
