"""python -m emotions text."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from emotions.cli import main
from emotions.labels import EMOTIONS

ROOT = Path(__file__).resolve().parents[3]


def test_lines(tmp_path, capsys):
    (tmp_path / "comments.txt").write_text("I love it!\n\nso sad about this\n", encoding="utf-8")
    assert main(["text", "--format", "jsonl", "--lines", "--words", str(tmp_path / "comments.txt")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["line"], row["emotion"]) for row in rows] == [(1, "happy"), (3, "sad")] and rows[0]["words"]


@pytest.mark.parametrize("form", ["jsonl", "csv", "table"])
@pytest.mark.parametrize("bad", [b"I\x92m furious", b"\xff", b"\xc3", b"a\xed\xa0\x80", b"x" * 99 + b"\x80"])
def test_lines_after_one_that_is_no_utf8_are_read(tmp_path, capsys, form, bad):
    lines = [b"\xef\xbb\xbfI am so happy today", bad, b"This is disgusting\r", b"", bad, b"I love it"]
    (tmp_path / "comments.txt").write_bytes(b"\n".join(lines))
    assert main(["text", "--format", form, "--lines", str(tmp_path / "comments.txt")]) == 1
    out = capsys.readouterr().out
    if form == "table":
        assert out.count("not_text") == 2 and "happy" in out and "disgust" in out
        return
    rows = [json.loads(line) for line in out.splitlines()] if form == "jsonl" else list(csv.DictReader(io.StringIO(out)))
    codes = [row["error"]["code"] if row.get("error") and form == "jsonl" else row.get("error") or "" for row in rows]
    assert codes == ["", "not_text", "", "not_text", ""]
    assert [int(row["line"]) for row in rows] == [1, 2, 3, 5, 6]
    assert rows[0]["emotion"] == "happy" and rows[2]["emotion"] == "disgust" and rows[4]["emotion"] == "happy"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_names_the_encoding(tmp_path, capsys, encoding):
    texts = ["I love it 😀!", "", "so sad\u2028about this", "x" * 3000, "I hate you"]
    marked = texts[0] if encoding == "utf-8-sig" else f"\ufeff{texts[0]}"
    (tmp_path / "comments.txt").write_bytes("\r\n".join([marked, *texts[1:]]).encode(encoding))
    assert main(["text", "--format", "jsonl", "--lines", "--words", str(tmp_path / "comments.txt")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["line"] for row in rows] == [1, 3, 4, 5]
    assert [rows[number]["emotion"] for number in (0, 1, 3)] == ["happy", "sad", "anger"]
    assert rows[0]["words"][0]["start"] == 0
    assert main(["text", "--format", "jsonl", str(tmp_path / "comments.txt")]) == 0
    (tmp_path / "plain.txt").write_bytes("\r\n".join(texts).encode())
    assert main(["text", "--format", "jsonl", str(tmp_path / "plain.txt")]) == 0
    whole, plain = (json.loads(line) | {"file": ""} for line in capsys.readouterr().out.splitlines())
    assert whole == plain


def test_damaged_utf16_does_not_end_the_run(tmp_path, capsys):
    damaged = "I love it\n\ud800!\nso sad".encode("utf-16-le", "surrogatepass") + b"\0"
    (tmp_path / "comments.txt").write_bytes(b"\xff\xfe" + damaged)
    assert main(["text", "--format", "jsonl", "--lines", str(tmp_path / "comments.txt")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [rows[0]["emotion"], rows[-1]["emotion"], rows[-1]["line"]] == ["happy", "sad", 3]


def test_files_are_rows_and_so_are_errors(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("I hate you!\nReally.", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"\xff\x00a")
    (tmp_path / "c.txt").write_text("a" * 100_001, encoding="utf-8")
    assert main(["text", "--format", "csv", "--max-characters", "100000", str(tmp_path), str(tmp_path / "none.txt")]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["error"] for row in rows] == ["", "not_text", "text_too_long", "file_not_found"]
    assert "anger" in rows[0]["emotions"].split() and all(0 <= float(rows[0][name]) <= 1 for name in EMOTIONS)


def test_table_with_a_reason(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("Ich bin sehr traurig und allein.", encoding="utf-8")
    assert main(["text", "--format", "table", str(tmp_path / "a.txt")]) == 0
    assert "other_language" in capsys.readouterr().out


def test_standard_input():
    done = subprocess.run(
        [sys.executable, "-m", "emotions", "text", "-"],
        cwd=ROOT,
        input=b"What a lovely day, I am happy",
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["emotion"] == "happy"


def test_options_of_face_analysis_are_rejected(capsys):
    with pytest.raises(SystemExit):
        main(["text", "--detector", "haar", "x"])
    assert "--detector" in capsys.readouterr().err
