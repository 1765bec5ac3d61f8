"""Signals of the command line, also where the code that they interrupt loses their exception."""

import gc
import signal
import sys

import pytest

from emotions import cli
from emotions.cli import signals
from emotions.cli.output import Output


@pytest.fixture
def stop():
    """Function that sends a signal to this process, within `signals.handled`."""
    with signals.handled():
        yield signal.raise_signal


def test_a_signal_that_was_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.handled():
            signal.raise_signal(signal.SIGHUP)
        assert (signals.exit_code(), signal.getsignal(signal.SIGHUP)) == (0, signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_and_the_record_of_a_run_end_with_it():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.unraisablehook
    with pytest.raises(signals.Stopped), signals.handled():
        signal.raise_signal(signal.SIGTERM)
    assert signals.exit_code() == 143
    signals.check()
    with signals.deferred():
        pass
    with signals.handled():
        signals.check()
    assert signals.exit_code() == 0
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.unraisablehook)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_deferred_signal_is_raised_at_the_end_of_the_block(stop, number):
    done = []
    with pytest.raises(signals.Stopped), signals.deferred():
        with signals.deferred():
            stop(number)
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]


def test_a_signal_in_a_destructor_is_recorded_and_not_reported(stop, capsys):
    class Interrupted:
        def __del__(self):
            stop(signal.SIGTERM)

    one = Interrupted()
    del one
    gc.collect()
    with pytest.raises(signals.Stopped):
        signals.check()
    assert capsys.readouterr().err == ""


def lose(exception_is: str) -> None:
    """Receive a signal as an extension module that is being imported, or code that drops every exception."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt as error:
        if exception_is == "replaced":
            raise ImportError("the module could not be imported") from error


@pytest.mark.parametrize("exception_is", ["replaced", "dropped"])
@pytest.mark.parametrize("command", ["photo", "text"])
def test_a_run_ends_by_its_signal_where_the_exception_is_lost(monkeypatch, capsys, tmp_path, command, exception_is):
    names = [tmp_path / f"{number}.txt" for number in range(3)]
    for name in names:
        name.write_text("I am so happy", encoding="utf-8")

    real = Output.__init__

    def interrupted(self, *arguments):
        real(self, *arguments)
        lose(exception_is)

    monkeypatch.setattr(Output, "__init__", interrupted)
    assert cli.main([command, "--format", "jsonl", *map(str, names)]) == 143
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "")
