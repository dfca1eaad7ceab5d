import signal
import threading

import pytest

from genstage import OptionError
from genstage.signals import Termination

BOTH = (signal.SIGTERM, signal.SIGINT)
DEADLINE_S = 20.0


@pytest.fixture(autouse=True)
def before():
    """What signals do before; heard ones are kept."""
    heard = []
    handlers = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in BOTH}
    yield heard
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", BOTH)
def test_the_first_wakes_and_the_second_does_what_it_did(before, number):
    with Termination() as termination:
        assert not termination.wait(timeout_s=0)
        signal.raise_signal(number)
        assert termination.wait(DEADLINE_S)
        assert termination.wait()  # it stays so
        assert (termination.received, before) == (number, [])
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert before == [signal.SIGTERM, signal.SIGINT]
        assert termination.received == number


def test_what_was_there_is_there_again(before):
    handlers = [signal.getsignal(number) for number in BOTH]
    with Termination() as termination:
        assert [signal.getsignal(number) for number in BOTH] != handlers
    assert [signal.getsignal(number) for number in BOTH] == handlers
    signal.raise_signal(signal.SIGINT)
    assert (termination.received, before) == (None, [signal.SIGINT])


def test_it_wakes_the_main_thread_out_of_its_wait_for_ever():
    with Termination() as termination:
        main = threading.main_thread().ident
        asks = threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGTERM))
        asks.start()
        assert termination.wait()
        asks.join()
        assert repr(termination) == "<Termination SIGTERM>"


def test_it_wakes_all_threads_that_wait():
    woken = []
    with Termination() as termination:
        waiting = [threading.Thread(target=lambda: woken.append(termination.wait())) for _ in range(3)]
        for thread in waiting:
            thread.start()
        signal.raise_signal(signal.SIGTERM)
        for thread in waiting:
            thread.join(DEADLINE_S)
    assert woken == [True] * 3


def test_it_waits_for_other_signals(before):
    with Termination(signal.SIGINT) as termination:
        signal.raise_signal(signal.SIGTERM)
        assert (termination.received, before) == (None, [signal.SIGTERM])
        signal.raise_signal(signal.SIGINT)
        assert termination.received == signal.SIGINT


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Termination() as termination:
        signal.raise_signal(signal.SIGINT)
        assert repr(termination) == "<Termination none yet>"
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_mistake_is_refused():
    with pytest.raises(OptionError, match="timeout_s"):
        Termination().wait(timeout_s=-1)


def test_another_thread_cannot_enter_it():
    errors = []

    def enter():
        try:
            Termination().__enter__()
        except ValueError as error:
            errors.append(str(error))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(DEADLINE_S)
    assert errors == ["signal only works in main thread of the main interpreter"]


def test_there_can_be_another_reason_to_go_on(before):
    with Termination() as termination:
        threading.Thread(target=termination.wake).start()
        assert termination.wait(DEADLINE_S)
        assert termination.received is None
        signal.raise_signal(signal.SIGTERM)
        assert (termination.received, before) == (signal.SIGTERM, [])
