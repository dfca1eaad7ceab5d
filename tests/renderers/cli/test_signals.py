import io
import os
import select
import signal
import sys

import pytest

from renderers.cli import entry, main
from renderers.cli.errors import Interrupted
from renderers.cli.signals import Signals

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HardEndError(Exception):
    pass


@pytest.fixture(autouse=True)
def hard_end(monkeypatch):
    """The end at once, as an exception."""

    def end(code):
        raise HardEndError(code)

    monkeypatch.setattr(os, "_exit", end)


@pytest.fixture(autouse=True)
def usual_handlers():
    """The handlers of a fresh Python process, whatever started the tests."""
    before = {number: signal.getsignal(number) for number in ENDING}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_raises(number):
    with Signals() as signals:
        with pytest.raises(Interrupted) as caught:
            signal.raise_signal(number)
        assert signals.received == number
    assert caught.value.number == number


def test_held_signals_are_only_noted():
    with Signals() as signals:
        signals.hold()
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT


def test_waiting_raises_what_was_noted():
    with Signals() as signals:
        signals.hold()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted) as caught, signals.awaited():
            pytest.fail("waited all the same")
    assert caught.value.number == signal.SIGINT


def test_waiting_is_torn_by_a_signal():
    with Signals() as signals:
        signals.hold()
        with pytest.raises(Interrupted), signals.awaited():
            signal.raise_signal(signal.SIGTERM)


def test_after_waiting_signals_are_held_again():
    with Signals() as signals:
        signals.hold()
        with signals.awaited():
            pass
        signal.raise_signal(signal.SIGTERM)
        assert signals.received == signal.SIGTERM


def break_off(number, leaves=""):
    """Send two signals; returns the exit code."""
    with Signals() as signals:
        signals.hold()
        signals.leaves = leaves
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(HardEndError) as caught:
            signal.raise_signal(number)
    return caught.value.args[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_ends_at_once_and_says_so(capfd, number, code):
    assert break_off(number, "out/.sales.run/") == code
    line = Interrupted(number).last_line("out/.sales.run/")
    assert capfd.readouterr().err == f"genstage: {line}\n"


def test_the_end_at_once_waits_for_no_reader(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as full:
        while select.select([], [writing], [], 0)[1]:
            os.write(writing, b"x" * 4096)
        monkeypatch.setattr(sys, "stderr", full)
        assert break_off(signal.SIGINT) == 130


def test_the_end_at_once_needs_no_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert break_off(signal.SIGINT) == 130


def test_the_handlers_of_before_come_back():
    before = [signal.getsignal(number) for number in ENDING]
    with Signals():
        assert all(signal.getsignal(number) not in before for number in ENDING)
    assert [signal.getsignal(number) for number in ENDING] == before


def test_an_ignored_signal_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Signals() as signals:
        signal.raise_signal(signal.SIGHUP)
        assert signals.received is None


def test_sigusr1_tells_and_goes_on(capfd):
    before = signal.getsignal(signal.SIGUSR1)
    with Signals() as signals:
        signal.raise_signal(signal.SIGUSR1)
        signals.explain = lambda: "run 'sales' is running"
        signals.framed = "<{}>".format
        signal.raise_signal(signal.SIGUSR1)
        assert signals.received is None
    assert signal.getsignal(signal.SIGUSR1) == before
    assert capfd.readouterr().err == "no run is under way\n<run 'sales' is running>"


def test_what_cannot_be_told_disturbs_nobody(capfd):
    def fail():
        raise LookupError("nothing")

    with Signals() as signals:
        signals.explain = fail
        signal.raise_signal(signal.SIGUSR1)
    assert capfd.readouterr().err == "what the run is doing cannot be told: LookupError: nothing\n"


def test_an_ignored_sigusr1_stays_ignored(capfd):
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with Signals():
        signal.raise_signal(signal.SIGUSR1)
    assert signal.signal(signal.SIGUSR1, before) is signal.SIG_IGN
    assert capfd.readouterr().err == ""


def test_a_long_explanation_waits_for_no_reader(monkeypatch):
    reading, writing = os.pipe()
    text = "x" * 1_000_000
    with os.fdopen(reading, "rb", buffering=0) as pipe, os.fdopen(writing, "w") as room:
        monkeypatch.setattr(sys, "stderr", room)
        with Signals() as signals:
            signals.explain = lambda: text
            signal.raise_signal(signal.SIGUSR1)
        assert 0 < len(pipe.read(len(text))) < len(text)


def test_from_the_first_line_to_the_last_a_signal_ends_the_command(monkeypatch):
    def run(_arguments):
        for number in ENDING:
            with pytest.raises(HardEndError) as caught:
                signal.raise_signal(number)
            assert caught.value.args == (128 + number,)
        return 7

    monkeypatch.setattr(entry, "run_command", run)
    before = [signal.getsignal(number) for number in ENDING]
    assert main(["demo"]) == 7
    assert [signal.getsignal(number) for number in ENDING] == before


def test_what_is_ignored_stays_ignored(monkeypatch):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(entry, "run_command", lambda _: signal.raise_signal(signal.SIGHUP) or 7)
    assert main(["demo"]) == 7
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
