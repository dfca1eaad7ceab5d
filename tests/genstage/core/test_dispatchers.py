import pytest

from genstage._core.dispatchers.base import Refused
from genstage._core.dispatchers.broadcast import BroadcastDispatcher
from genstage._core.dispatchers.demand import DemandDispatcher
from genstage._core.reasons import AlreadySubscribed


class Link:
    def __init__(self):
        self.done = []

    def deliver(self, peer, tag, events):
        assert peer == f"c{tag}"
        self.done.append((tag, list(events)))

    def ask_again(self, tag, count):
        self.done.append(("ask again", tag, count))

    def ask_later(self, demand):
        self.done.append(("ask later", demand))

    def report(self, event, **fields):
        self.done.append((event, fields))

    def take(self):
        done, self.done = self.done, []
        return done


def started(dispatcher, consumers=0):
    link = Link()
    dispatcher.start(link)
    for tag in range(1, consumers + 1):
        assert dispatcher.subscribe(tag, f"c{tag}", {}) == 0
    return dispatcher, link


# -- demand -------------------------------------------------------------------------------------------


def test_demand_goes_upstream_once_and_is_kept_for_the_next_consumer():
    dispatcher, _ = started(DemandDispatcher(), 2)
    assert dispatcher.ask(1, 10) == 10
    assert dispatcher.cancel(1) == 0
    assert dispatcher.ask(2, 7) == 0
    assert dispatcher.ask(2, 10) == 7


def test_events_that_nobody_waits_for_use_up_kept_demand():
    dispatcher, link = started(DemandDispatcher(), 1)
    dispatcher.ask(1, 10)
    dispatcher.cancel(1)
    assert dispatcher.dispatch([1, 2, 3]) == [1, 2, 3]
    assert link.take() == []
    dispatcher.subscribe(2, "c2", {})
    assert dispatcher.ask(2, 10) == 3


def test_the_greatest_demand_is_served_first_and_the_older_among_equals():
    dispatcher, link = started(DemandDispatcher(max_demand=10), 3)
    for tag in (1, 2, 3):
        dispatcher.ask(tag, 10)
    for event in range(7):
        dispatcher.dispatch([event])
    assert [tag for tag, _ in link.take()] == [1, 2, 3, 1, 2, 3, 1]
    assert dispatcher.dispatch(list(range(21))) == ()
    assert link.take() == [(2, list(range(8))), (3, list(range(8, 16))), (1, list(range(16, 21)))]
    assert dispatcher.room() == 2


def test_one_emission_spills_over_and_leaves_the_rest():
    dispatcher, link = started(DemandDispatcher(max_demand=3), 2)
    dispatcher.ask(1, 3)
    dispatcher.ask(2, 2)
    assert dispatcher.room() == 5
    assert dispatcher.expects()
    assert dispatcher.dispatch([1, 2, 3, 4, 5, 6]) == [6]
    assert link.take() == [(1, [1, 2, 3]), (2, [4, 5])]
    assert dispatcher.room() == 0
    assert not dispatcher.expects()


def test_a_larger_ask_than_expected_is_honoured_with_a_warning():
    dispatcher, link = started(DemandDispatcher(), 1)
    dispatcher.ask(1, 3)
    assert dispatcher.ask(1, 4) == 4
    assert link.take() == [("demand_above_max", {"expected": 3, "got": 4})]


def test_what_the_buffer_served_in_the_producers_place_is_still_owed():
    dispatcher, _ = started(DemandDispatcher(), 1)
    dispatcher.ask(1, 5)
    dispatcher.dispatch([1, 2, 3, 4])
    dispatcher.drained(4)
    assert dispatcher.ask(1, 6) == 2


def test_shuffling_happens_once_and_serves_those_who_wait():
    orders = set()
    for seed in range(20):
        shuffled = DemandDispatcher(shuffle_demands_on_first_dispatch=True, seed=seed)
        dispatcher, link = started(shuffled, 3)
        dispatcher.ask(1, 3)
        dispatcher.ask(2, 3)
        assert dispatcher.dispatch(list(range(6))) == ()
        orders.add(tuple(tag for tag, _ in link.take()))
    assert orders == {(1, 2), (2, 1)}


def test_shuffling_is_over_after_a_first_dispatch_to_one_consumer():
    for seed in range(20):
        shuffled = DemandDispatcher(shuffle_demands_on_first_dispatch=True, seed=seed)
        dispatcher, link = started(shuffled, 1)
        dispatcher.ask(1, 1)
        dispatcher.dispatch(["first"])
        for tag in (2, 3):
            dispatcher.subscribe(tag, f"c{tag}", {})
        for tag in (1, 2, 3):
            dispatcher.ask(tag, 1)
        dispatcher.dispatch([1, 2, 3])
        assert link.take() == [(1, ["first"]), (1, [1]), (2, [2]), (3, [3])]


def test_shuffling_needs_no_seed_and_then_differs_from_dispatcher_to_dispatcher():
    orders = set()
    for _ in range(100):  # that all begin the same way: once in 2**99
        dispatcher, link = started(DemandDispatcher(shuffle_demands_on_first_dispatch=True), 2)
        dispatcher.ask(1, 1)
        dispatcher.ask(2, 1)
        dispatcher.dispatch(["x"])
        orders.add(link.take()[0][0])
    assert orders == {1, 2}


def test_a_seed_fixes_the_order():
    firsts = []
    for _ in range(5):
        dispatcher, link = started(DemandDispatcher(shuffle_demands_on_first_dispatch=True, seed=7), 6)
        for tag in range(1, 7):
            dispatcher.ask(tag, 1)
        dispatcher.dispatch(list(range(6)))
        firsts.append([tag for tag, _ in link.take()])
    assert firsts == [firsts[0]] * 5
    assert firsts[0] != [1, 2, 3, 4, 5, 6]


def test_without_the_option_nothing_is_shuffled():
    dispatcher, link = started(DemandDispatcher(seed=7), 6)
    for tag in range(1, 7):
        dispatcher.ask(tag, 1)
    dispatcher.dispatch(list(range(6)))
    assert [tag for tag, _ in link.take()] == [1, 2, 3, 4, 5, 6]


# -- broadcast ----------------------------------------------------------------------------------------


def test_upstream_goes_what_all_wait_for():
    dispatcher, link = started(BroadcastDispatcher(), 2)
    assert dispatcher.ask(1, 3) == 0
    assert not dispatcher.expects()
    assert dispatcher.ask(2, 2) == 2
    assert (dispatcher.room(), dispatcher.expects()) == (2, True)
    assert dispatcher.dispatch(["a", "b"]) == ()
    assert link.take() == [(1, ["a", "b"]), (2, ["a", "b"])]
    assert dispatcher.ask(2, 2) == 1
    assert dispatcher.dispatch(["c", "d"]) == ["d"]
    assert link.take() == [(1, ["c"]), (2, ["c"])]


def test_a_late_consumer_holds_the_others_until_it_asks_and_a_leaver_sets_them_free():
    dispatcher, link = started(BroadcastDispatcher(), 1)
    assert dispatcher.ask(1, 10) == 10
    dispatcher.subscribe(2, "c2", {})
    assert dispatcher.room() == 0
    assert dispatcher.dispatch([1]) == [1]
    assert dispatcher.ask(1, 5) == 0
    assert dispatcher.cancel(2) == 5
    assert dispatcher.dispatch([1]) == ()
    assert link.take() == [(1, [1])]


def test_what_has_been_requested_is_not_requested_for_the_next_consumer():
    dispatcher, _ = started(BroadcastDispatcher(), 1)
    dispatcher.ask(1, 10)
    assert dispatcher.cancel(1) == 0
    dispatcher.subscribe(2, "c2", {})
    assert dispatcher.ask(2, 12) == 2


def test_what_went_to_the_buffer_is_no_longer_requested_and_comes_back_when_it_is_drained():
    dispatcher, _ = started(BroadcastDispatcher(), 1)
    dispatcher.ask(1, 10)
    dispatcher.subscribe(2, "c2", {})
    dispatcher.buffered(len(dispatcher.dispatch([1, 2, 3, 4])))
    assert dispatcher.ask(2, 2) == 0  # six are still owed
    assert dispatcher.dispatch([1, 2]) == ()
    dispatcher.drained(2)
    assert dispatcher.ask(2, 8) == 2  # eight wanted, six owed


def test_a_selector_filters_and_what_it_rejects_is_asked_for_again():
    dispatcher, link = started(BroadcastDispatcher(), 1)
    dispatcher.subscribe(2, "c2", {"selector": lambda event: event > 2})
    dispatcher.ask(1, 4)
    dispatcher.ask(2, 4)
    dispatcher.dispatch([1, 2, 3, 4])
    assert link.take() == [(1, [1, 2, 3, 4]), ("ask again", 2, 2), (2, [3, 4])]
    dispatcher.ask(1, 1)
    dispatcher.ask(2, 1)
    dispatcher.dispatch([0])
    assert link.take() == [(1, [0]), ("ask again", 2, 1), (2, [])]


def test_consumers_cannot_change_what_the_others_get():
    class Keeping(Link):
        def deliver(self, _peer, _tag, events):
            self.done.append(events)

    dispatcher, link = BroadcastDispatcher(), Keeping()
    dispatcher.start(link)
    for tag in (1, 2):
        dispatcher.subscribe(tag, f"c{tag}", {})
        dispatcher.ask(tag, 2)
    dispatcher.dispatch([1, 2])
    assert [type(events) for events in link.done] == [tuple, tuple]


def test_a_second_subscription_of_the_same_stage_is_refused():
    dispatcher, link = started(BroadcastDispatcher(), 1)
    with pytest.raises(Refused) as refused:
        dispatcher.subscribe(2, "c1", {})
    assert refused.value.reason == AlreadySubscribed()
    assert link.take() == [("already_registered", {"peer": "c1"})]
    assert dispatcher.ask(1, 3) == 3


@pytest.mark.parametrize("make", [DemandDispatcher, BroadcastDispatcher])
def test_an_info_is_sent_at_once(make):
    dispatcher, _ = started(make(), 1)
    sent = []
    dispatcher.info(lambda: sent.append("i"))
    assert sent == ["i"]


def test_a_dispatcher_is_shown_by_its_kind_alone():
    """Also a user's own, whose ``start`` has not run."""

    class Mine(DemandDispatcher):
        pass

    assert [repr(made) for made in (BroadcastDispatcher(), Mine())] == ["<BroadcastDispatcher>", "<Mine>"]


# -- looked at from outside ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DemandDispatcher, BroadcastDispatcher])
def test_what_each_has_asked_for_and_not_got_can_be_seen(kind):
    dispatcher, _ = started(kind(), 2)
    dispatcher.ask(1, 10)
    dispatcher.ask(2, 4)
    assert dispatcher.waiting() == {1: 10, 2: 4}
    dispatcher.dispatch([1, 2, 3])
    assert dispatcher.waiting() == ({1: 7, 2: 4} if kind is DemandDispatcher else {1: 7, 2: 1})
    dispatcher.cancel(1)
    assert dispatcher.waiting().keys() == {2}
    assert dispatcher.kept() == ()
