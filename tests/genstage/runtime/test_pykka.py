import queue
import threading

import pykka
import pytest

from genstage import Consumer
from genstage._core.results import Reply, Unanswered

DEADLINE_S = 20.0


class Echo(Consumer):
    def __init__(self, heard=None):
        self.heard = heard

    def handle_call(self, request, reply_to):
        if request == "raise":
            raise ValueError("boom")
        if request == "error":
            return Reply(LookupError("none"))
        if request == "twice":
            self.stage.reply(reply_to, "first")
            self.stage.reply(reply_to, LookupError("second"))
        if request == "never":
            return Unanswered()
        return Reply((request, threading.current_thread().name))

    def handle_info(self, message):
        self.heard.put(message)

    def terminate(self, reason):
        if self.heard is not None:
            self.heard.put(reason)


@pytest.fixture
def echo(runtime):
    return runtime.start(Echo, name="echo")


def test_ask(echo):
    request, thread = echo.pykka.ask("hello", timeout=DEADLINE_S)
    assert (request, thread.startswith("test-shared")) == ("hello", True)
    assert echo.pykka.ask("hello", block=False).get(timeout=DEADLINE_S)[0] == "hello"


def test_only_the_first_reply_counts_and_nothing_of_it_stays(echo):
    assert echo.pykka.ask("twice", timeout=DEADLINE_S) == "first"
    assert echo.pykka.ask("hello", timeout=DEADLINE_S)[0] == "hello"
    assert echo._actor._requests == {}


def test_tell_comes_to_handle_info(runtime):
    heard = queue.Queue()
    ref = runtime.start(lambda: Echo(heard))
    ref.pykka.tell({"a": 1})

    assert heard.get(timeout=DEADLINE_S) == {"a": 1}


def test_an_error_as_reply_is_raised_and_the_stage_goes_on(echo):
    with pytest.raises(LookupError):
        echo.pykka.ask("error", timeout=DEADLINE_S)

    assert echo.pykka.is_alive()


def test_ask_has_a_deadline(echo):
    with pytest.raises(pykka.Timeout):
        echo.pykka.ask("never", timeout=0.01)

    assert echo.pykka.is_alive()


def test_stop(echo):
    assert echo.pykka.is_alive()
    assert echo.pykka.stop(timeout=DEADLINE_S) is True
    assert not echo.pykka.is_alive()
    assert not echo.alive
    assert echo.pykka.stop(timeout=DEADLINE_S) is False


def test_the_dead_raise_as_pykkas_own_do(echo):
    echo.stop()

    with pytest.raises(pykka.ActorDeadError):
        echo.pykka.ask("hello", timeout=DEADLINE_S)
    with pytest.raises(pykka.ActorDeadError):
        echo.pykka.tell("hello")
    with pytest.raises(pykka.ActorDeadError):
        echo.pykka.proxy()


def test_an_ask_that_raises_ends_the_stage_and_the_asker_learns_the_cause(echo, expected_errors):
    with pytest.raises(pykka.ActorDeadError) as caught:
        echo.pykka.ask("raise", timeout=DEADLINE_S)

    assert isinstance(caught.value.__cause__, ValueError)
    assert not echo.pykka.is_alive()
    assert expected_errors


def test_asks_and_stops_on_the_way_are_answered_when_the_stage_ends(echo, start, stuck, gate):
    stuck(start()[0])  # on the same lane
    stops = [echo.pykka.stop(block=False) for _ in range(2)]
    answer = echo.pykka.ask("too late", block=False)
    never = echo.pykka.ask("never", block=False)
    gate.set()

    assert [stop.get(timeout=DEADLINE_S) for stop in stops] == [True, True]
    for future in (answer, never):
        with pytest.raises(pykka.ActorDeadError):
            future.get(timeout=DEADLINE_S)


def test_an_ask_left_unanswered_ends_with_the_stage(echo):
    future = echo.pykka.ask("never", block=False)
    echo.stop()

    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=DEADLINE_S)


@pytest.mark.parametrize("blocking", [False, True])
def test_a_stage_and_an_ordinary_actor_talk_to_each_other(runtime, blocking):
    class Partner(pykka.ThreadingActor):
        def on_receive(self, message):
            return ("partner", message)

    class Asks(Consumer):
        def handle_call(self, request, _reply_to):
            return Reply(partner.ask(request, timeout=DEADLINE_S))

    partner = Partner.start()
    try:
        asks = runtime.start(Asks, blocking=blocking)
        assert asks.pykka.ask("hello", timeout=DEADLINE_S) == ("partner", "hello")
        assert runtime.start(Echo).pykka.ask("hi", timeout=DEADLINE_S)[0] == "hi"
    finally:
        partner.stop()


def test_stages_are_not_in_pykkas_registry(echo):
    assert echo.alive
    assert pykka.ActorRegistry.get_all() == []
    pykka.ActorRegistry.stop_all()
    assert echo.alive


# -- proxies ------------------------------------------------------------------------------------------


class Cellar:
    def __init__(self):
        self.bottles = 3

    def drink(self):
        self.bottles -= 1
        return threading.current_thread().name


class House(Echo):
    def __init__(self, heard=None):
        super().__init__(heard)
        self.rooms = 4
        self.cellar = pykka.traversable(Cellar())

    def build(self, count, *, where="above"):
        self.rooms += count
        return where, threading.current_thread().name

    def burn(self):
        raise ValueError("fire")

    @property
    def doors(self):
        return self.rooms + 1


@pytest.fixture
def house(runtime):
    return runtime.start(House, name="house")


def test_a_proxy_reaches_the_users_object_in_its_turn(house, start, stuck, gate):
    proxy = house.pykka.proxy()
    stuck(start()[0])  # on the same lane
    built = proxy.build(2, where="below")
    rooms = proxy.rooms
    gate.set()

    where, thread = built.get(timeout=DEADLINE_S)
    assert (where, thread.startswith("test-shared")) == ("below", True)
    assert rooms.get(timeout=DEADLINE_S) == 6
    assert proxy.doors.get(timeout=DEADLINE_S) == 7


def test_a_proxy_sets_attributes(house):
    proxy = house.pykka.proxy()
    proxy.rooms = 9
    assert proxy.rooms.get(timeout=DEADLINE_S) == 9


def test_a_proxy_goes_through_what_is_traversable(house):
    proxy = house.pykka.proxy()

    assert proxy.cellar.drink().get(timeout=DEADLINE_S).startswith("test-shared")
    proxy.cellar.bottles = 8
    assert proxy.cellar.bottles.get(timeout=DEADLINE_S) == 8


def test_what_a_stage_has_not_a_proxy_has_not(house):
    with pytest.raises(AttributeError, match="nowhere"):
        house.pykka.proxy().nowhere  # noqa: B018 - it is what raises


def test_an_error_behind_a_proxy_is_the_askers_and_the_stage_goes_on(house):
    proxy = house.pykka.proxy()
    with pytest.raises(ValueError, match="fire"):
        proxy.burn().get(timeout=DEADLINE_S)

    assert proxy.rooms.get(timeout=DEADLINE_S) == 4


def test_an_error_that_nobody_asked_for_ends_the_stage(house, expected_errors):
    house.pykka.proxy().burn.defer()
    assert house._actor.actor_stopped.wait(DEADLINE_S)

    assert str(house.reason) == "ValueError: fire"
    assert len(expected_errors) == 1


def test_the_end_of_programs_behind_a_proxy_ends_the_stage_only(house, echo, expected_errors):
    def leave():
        raise SystemExit(3)

    house.pykka.proxy().cellar.drink = leave
    with pytest.raises(pykka.ActorDeadError):
        house.pykka.proxy().cellar.drink().get(timeout=DEADLINE_S)

    assert echo.pykka.ask("hello", timeout=DEADLINE_S)[0] == "hello"
    assert expected_errors


def test_a_proxy_of_a_stage_that_ends_is_told(house):
    proxy = house.pykka.proxy()
    house.stop()

    with pytest.raises(pykka.ActorDeadError):
        proxy.rooms.get(timeout=DEADLINE_S)


def test_proxies_and_futures_work_both_ways(runtime):
    class Partner(pykka.ThreadingActor):
        def __init__(self):
            super().__init__()
            self.beds = 2

        def visit(self, house):
            return house.build(1).get(timeout=DEADLINE_S), self.beds

    class Host(House):
        def handle_call(self, _request, _reply_to):
            return Reply(partner.beds.get(timeout=DEADLINE_S))

    partner = Partner.start().proxy()
    try:
        host = runtime.start(Host, blocking=True, name="host")
        assert host.pykka.ask("beds", timeout=DEADLINE_S) == 2
        assert partner.visit(host.pykka.proxy()).get(timeout=DEADLINE_S) == (("above", "test-host"), 2)
    finally:
        partner.stop()


def test_a_stage_waits_for_the_answer_of_another_but_not_for_its_own(echo, start):
    ref, _ = start()

    def ask(_stage, _reply_to):
        with pytest.raises(RuntimeError, match="cannot wait for its own answer"):
            ref.pykka.ask(lambda *_: Reply("never waited for"))
        return Reply(echo.pykka.ask("hello", timeout=DEADLINE_S))

    assert ref.call(ask)[0] == "hello"
    assert ref.pykka.actor_class.__name__ == "LaneActor"


@pytest.mark.parametrize("blocking", [False, True])
def test_a_stage_is_in_pykkas_registry_if_that_is_wished_until_it_ends(runtime, blocking):
    ref = runtime.start(Echo, register=True, blocking=blocking)
    assert pykka.ActorRegistry.get_all() == [ref.pykka]
    assert pykka.ActorRegistry.get_by_urn(ref.pykka.actor_urn).ask("hello", timeout=DEADLINE_S)[0] == "hello"
    ref.stop()
    assert pykka.ActorRegistry.get_all() == []

    ref = runtime.start(Echo, register=True, blocking=blocking)
    pykka.ActorRegistry.stop_all(timeout=DEADLINE_S)
    assert not ref.alive
    assert pykka.ActorRegistry.get_all() == []
