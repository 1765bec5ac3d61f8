"""Client, verdicts and report of the hostile runs, against small servers of the tests."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager

import pytest

from scripts.hostile import campaign, report, verdicts
from scripts.hostile.client import Answer, Response, exchange, parse_responses
from scripts.hostile.inputs import HostileInput, build
from scripts.hostile.overload import NO_BAR, Bar, Burst, Overload
from scripts.hostile.probes import Sample
from scripts.hostile.server import State, open_descriptors
from scripts.hostile.soak import Soak

PROBLEM = {
    "content-type": "application/problem+json",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
}


@contextmanager
def serving(behave: Callable[[socket.socket], None]):
    """Accept one connection on a free port and treat it as `behave` does; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                behave(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while block := connection.recv(2**16):
        data += block
    return data


def test_responses_are_split():
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok"
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.0 500 X\r\n\r\nto the end"
    )
    found = parse_responses(data)
    assert [one.status for one in found] == [200, 404, 204, 200, 500]
    assert [one.body for one in found] == [b"ok", b"abcde", b"", b"", b"to the end"]
    assert found[0].headers["x-a"] == "b"
    assert (
        parse_responses(b"nonsense")
        == parse_responses(b"HTTP/1.1 200 OK\r\nno end")
        == parse_responses(b"HTTP/1.1 x\r\n\r\n")
        == ()
    )


def test_an_answer_before_everything_was_sent_is_read():
    def refuse(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)

    with serving(refuse) as port:
        answer = exchange(port, b"x" * 10**7)
    assert answer.status == 413


def test_ends_of_a_request():
    seen = []

    def collect(connection: socket.socket) -> None:
        seen.append(read_all(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\ndone")

    with serving(collect) as port:
        assert exchange(port, b"half", "half").status == 200
    with serving(lambda connection: seen.append(read_all(connection))) as port:
        assert exchange(port, b"close", "close").responses == ()
    assert seen == [b"half", b"close"]


def test_silence_and_refusal_are_told_apart():
    silent = threading.Event()
    with serving(lambda connection: silent.wait(10)) as port:
        assert exchange(port, b"x", patience=0.2) == Answer((), pytest.approx(0.2, abs=5), "timeout")
        silent.set()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert exchange(free.getsockname()[1], b"x").problem == "refused"


def sent(kind: str = "image", end: str = "wait") -> HostileInput:
    return HostileInput(1, kind, "images.gif", b"x", end, b"x")


def answer(status: int, seconds: float = 0.1, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer((Response(status, PROBLEM | named, body),), seconds)


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        (answer(200), []),
        (answer(413), []),
        (answer(507), []),
        (answer(500), ["5xx"]),
        (answer(501), ["5xx"]),
        (answer(503), ["no-retry"]),
        (answer(503, retry_after="3"), []),
        (answer(200, 11), ["slow"]),
        (answer(400, content_type="text/plain"), ["bare"]),
        (answer(400, x_content_type_options=""), ["bare"]),
        (answer(400, content_type="text/html; charset=utf-8"), []),
        (answer(422, body=b'Traceback (most recent call last):\n  File "/app/x.py"'), ["leak"]),
        (Answer((), 60.0, "timeout"), ["timeout"]),
        (Answer((), 0.1, "reset"), ["no-answer"]),
        (Answer((), 0.1), ["no-answer"]),
    ],
)
def test_verdicts(given, faults):
    assert verdicts.judge(sent(), given) == faults and set(faults) <= set(verdicts.FAULTS)


def test_raw_http_may_go_unanswered_or_be_beyond_the_protocol():
    assert verdicts.judge(sent("http", "half"), Answer((), 0.1)) == []
    assert verdicts.judge(sent("http", "brief"), answer(501)) == verdicts.judge(sent("http", "brief"), answer(505)) == []
    assert verdicts.judge(sent("http", "brief"), answer(500)) == ["5xx"]


def test_failed_inputs_are_kept_with_how_to_send_them_again(tmp_path):
    number = next(number for number in range(100) if build(3, number).kind == "sound")
    one = build(3, number)
    outcome = campaign.Outcome(number, one.kind, one.family, 500, 0.1, ("5xx",), ("5xx",), "internal_error")
    (path,) = campaign.keep(3, [outcome], tmp_path, ["a line of the log"])
    assert path.read_bytes() == one.payload and path.name.startswith("5xx-sounds.")
    assert (tmp_path / f"{path.name}.request").read_bytes() == one.request
    assert f"--seed 3 --only {number}" in (tmp_path / "failed.jsonl").read_text(encoding="utf-8")


def outcomes(*faults: str) -> list[campaign.Outcome]:
    return [
        campaign.Outcome(7, "image", "png.shape", 200, 0.5),
        campaign.Outcome(8, "form", "forms.options", 500, 11.0, faults, faults),
    ]


def test_report_of_a_run_counts_its_faults():
    state = State(200 * 2**20, 10, 12, ())
    run = campaign.Run(
        outcomes("5xx", "slow"), 60.0, state, State(200 * 2**20, 12, 13, ("left",)), 250 * 2**20, 1, 1, [(1.0, 2**27)]
    )
    text = report.hostile_report(run, "python -m scripts.hostile")
    assert "| form | 1 | 0 | 0 | 0 | 1 | 0 | 1 |" in text and "| 5xx | forms.options | 1 | 1 of 1 | 8 |" in text
    assert len(report.faults(run)) == 5 and len(report.faults(run, busy=True)) == 4 and "in /tmp: left" in text
    run.restarts = 0  # a new worker's files and threads cannot be compared with those of the former
    assert "2 more file descriptors" in " ".join(report.faults(run)) and "1 more threads" in " ".join(report.faults(run))
    fine = campaign.Run(outcomes()[:1], 60.0, state, state, 250 * 2**20, log=["fine"])
    assert report.faults(fine) == [] and "**No fault.**" in report.hostile_report(fine, "command")
    fine.log.append("Traceback (most recent call last):")
    assert report.faults(fine) == ["1 tracebacks in the server's log"]


def test_soak_bars():
    def soak(*rounds: tuple[float, int, int, int]) -> Soak:
        return Soak([(second, State(size * 2**20, files, threads, ())) for second, size, files, threads in rounds])

    start = (60.0, 100, 9, 9)  # before minute 10: not compared
    assert soak(start, (660.0, 200, 10, 12), (3600.0, 215, 10, 12)).broken() == []
    assert "memory" in soak(start, (660.0, 200, 10, 12), (3600.0, 225, 10, 12)).broken()[0]
    assert [text[:6] for text in soak(start, (660.0, 200, 10, 12), (3600.0, 200, 11, 13)).broken()] == ["1 more", "1 more"]
    unloaded = soak(start, start)
    unloaded.unloaded_bytes = 201 * 2**20
    assert unloaded.broken() == ["201 MB 90 s after the last request"]
    faulty = soak(start, start)
    faulty.faults["5xx"] += 1
    faulty.faults["slow"] += 1
    faulty.examples = {"5xx": "such as one", "slow": "such as another"}
    assert len(faulty.broken()) == 2 and len(faulty.broken(busy=True)) == 1


def test_overload_bars():
    quick, slow = Sample([(200, 0.1)] * 10), Sample([(200, 50.0)])
    assert Overload([Burst(4, quick, quick, quick)], [("silent", quick, quick, {})], [("two cores", 1.0)]).broken(Bar()) == []
    bad = Overload([Burst(4, slow, Sample([(500, 0.1)]), slow)], [("silent", slow, slow, {})], [("two cores", 9.0)])
    assert len(bad.broken(Bar())) == 6 and len(bad.broken(NO_BAR)) == 1
    refused = Sample()
    refused.enter(answer(503))
    refused.enter(answer(503, retry_after="2"))
    assert refused.without_retry == 1 and refused.times() == [] and refused.count(503) == 2 and refused.p99 == float("inf")


def test_descriptors_of_models_are_not_counted(tmp_path):
    (tmp_path / "one.tflite").touch()
    (tmp_path / "one.txt").touch()
    before = open_descriptors(os.getpid())
    with (tmp_path / "one.tflite").open("rb"):
        assert open_descriptors(os.getpid()) == before
        with (tmp_path / "one.txt").open("rb"):
            assert open_descriptors(os.getpid()) == before + 1
