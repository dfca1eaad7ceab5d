import pytest

from genstage._core import messages as m
from genstage._core.dispatchers.partition import PartitionDispatcher
from genstage._core.reasons import Crash, Normal
from genstage._core.results import Finish
from genstage.errors import OptionError


def partitioned(bench, *, kind="producer", partitions=2, spread=None, replace_discarded=False, **returns):
    spread = spread or (lambda event: (event, event % partitions))
    dispatcher = PartitionDispatcher(partitions, hash=spread, replace_discarded=replace_discarded)
    return bench(kind, {"dispatcher": dispatcher}, **returns)


def to_first(event):
    return event, 0


def join(stage, tag, partition):
    """Consumer ``c<tag>`` subscribes to a partition."""
    return stage.subscribe(tag, partition=partition)


def sent(effects):
    """The events that effects hold, by tag."""
    return [(effect[2], effect[3]) for effect in effects if effect[0] == "events"]


def asked(effects):
    """What the producer was asked for."""
    return [effect[1] for effect in effects if effect[0] == "handle_demand"]


# -- demand and queues --------------------------------------------------------------------------------


def test_each_event_goes_to_the_consumer_of_its_partition(bench):
    producer = partitioned(bench, partitions=2)
    join(producer, 1, 0)
    join(producer, 2, 1)
    assert asked(producer.ask(1, 3) + producer.ask(2, 3)) == [3, 3]
    assert sorted(sent(producer.emit(0, 1, 2, 3))) == [(1, [0, 2]), (2, [1, 3])]


def test_what_a_partition_does_not_wait_for_is_queued_beside_the_buffer_and_served_first(bench):
    producer = partitioned(bench, spread=to_first)
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(1, 2)
    producer.ask(2, 5)
    assert sent(producer.emit(*range(9))) == [(1, [0, 1])]
    assert producer.buffered == 2  # seven were taken, for seven were asked for
    assert producer.ask(1, 3) == [("events", "c1", 1, [2, 3, 4]), ("handle_demand", 1)]  # 7, 8: to the queue
    assert producer.buffered == 0
    assert producer.ask(1, 9)[0] == ("events", "c1", 1, [5, 6, 7, 8])


def test_a_partition_without_consumer_collects_until_somebody_has_it(bench):
    producer = partitioned(bench)
    join(producer, 2, 1)
    producer.ask(2, 4)
    assert sent(producer.emit(0, 2, 1)) == [(2, [1])]
    join(producer, 1, 0)
    assert sent(producer.ask(1, 5)) == [(1, [0, 2])]


def test_a_leavers_queue_is_dropped_and_asked_for_anew(bench):
    producer = partitioned(bench, spread=to_first)
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(1, 1)
    producer.ask(2, 4)
    producer.emit(0, 1, 2, 3, 4)
    assert asked(producer.cancel(1, Normal())) == [4]
    join(producer, 3, 0)
    assert sent(producer.ask(3, 4)) == []


def test_a_leavers_demand_is_remembered_for_whoever_asks_next(bench):
    producer = partitioned(bench)
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(1, 10)
    assert asked(producer.cancel(1, Normal())) == []
    assert asked(producer.ask(2, 4)) == []
    assert asked(producer.ask(2, 8)) == [2]


def test_the_hash_function_may_replace_an_event_and_drop_one(bench):
    producer = partitioned(bench, spread=lambda event: (event * 10, event % 2) if event % 3 else None)
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(1, 2)
    producer.ask(2, 2)
    assert sorted(sent(producer.emit(*range(6), 7, 8))) == [(1, [20, 40]), (2, [10, 50])]
    assert producer.buffered == 2


def test_a_producer_consumer_works_while_a_consumer_waits(bench):
    stage = partitioned(bench, kind="producer_consumer", spread=to_first, handle_events=list_of)
    stage.subscribe_to("p1", max_demand=4, min_demand=0)
    join(stage, 1, 0)
    join(stage, 2, 1)
    stage.ask(1, 1)
    stage.events(101, 1)
    stage.ask(2, 1)
    stage.cancel(2, Normal())  # its demand is remembered: one is open, but nobody waits
    assert stage.events(101, 2, 3) == []
    assert ("events", "c1", 1, [2]) in stage.ask(1, 1)


def list_of(events, _tag):
    return events


def test_with_an_accumulating_producer_the_queues_are_served_all_the_same(bench):
    producer = partitioned(bench, spread=to_first)
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(2, 2)
    producer.emit(1, 2)
    producer.handle(m.SetDemand("accumulate"))
    assert producer.ask(1, 3) == [("events", "c1", 1, [1, 2])]
    assert asked(producer.handle(m.SetDemand("forward"))) == [3]


# -- infos --------------------------------------------------------------------------------------------


def test_an_info_waits_for_all_partitions_that_are_backed_up(bench):
    producer = partitioned(bench, partitions=3)
    for tag in (1, 2, 3):
        join(producer, tag, tag - 1)
    for tag, count in ((1, 1), (2, 1), (3, 9)):
        producer.ask(tag, count)
    producer.emit(0, 3, 1, 4)
    assert producer.handle(m.Info("i")) == []
    assert producer.ask(1, 2)[0] == ("events", "c1", 1, [3])
    producer.emit(6)
    assert producer.ask(2, 2)[-1] == ("handle_info", "i")


def test_an_info_is_let_through_between_the_events_around_it(bench):
    producer = partitioned(bench, partitions=1)
    join(producer, 1, 0)
    producer.ask(1, 1)
    producer.emit(0)
    assert producer.handle(m.Info("i")) == []  # used up exactly, it counts as backed up
    assert producer.ask(1, 1)[-1] == ("handle_info", "i")


def test_a_leaver_lets_its_infos_go(bench):
    producer = partitioned(bench, partitions=1)
    join(producer, 1, 0)
    producer.ask(1, 1)
    producer.emit(0)
    producer.handle(m.Info("i"))
    assert producer.cancel(1, Normal())[-1] == ("handle_info", "i")


# -- the end of the data ------------------------------------------------------------------------------


def test_the_end_waits_for_what_is_queued_in_the_partitions(bench):
    producer = partitioned(bench, spread=to_first)
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(2, 9)
    assert producer.handle(m.Cast(Finish([1, 2, 3]))) == []
    assert producer.ask(1, 2) == [("events", "c1", 1, [1, 2])]
    assert producer.port.stopped is None
    assert producer.ask(1, 5) == [
        ("events", "c1", 1, [3]),
        ("finished", "c1", 1),
        ("finished", "c2", 2),
        ("terminate", Normal()),
        ("stop", Normal()),
    ]


def test_the_end_of_a_producer_consumer_waits_for_its_partitions_too(bench):
    stage = partitioned(bench, kind="producer_consumer", spread=to_first, handle_events=list_of)
    stage.subscribe_to("p1", max_demand=4, min_demand=0)
    join(stage, 1, 0)
    join(stage, 2, 1)
    stage.ask(2, 3)
    stage.events(101, 1, 2)  # for the first, which has not asked
    stage.handle(m.Finished("p1", 101))
    assert stage.port.stopped is None
    assert stage.ask(1, 2) == [
        ("events", "c1", 1, [1, 2]),
        ("finished", "c1", 1),
        ("finished", "c2", 2),
        ("terminate", Normal()),
        ("stop", Normal()),
    ]


def test_a_leaver_takes_what_the_end_waits_for_with_it(bench):
    producer = partitioned(bench, spread=to_first)
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(2, 9)
    producer.handle(m.Cast(Finish([1, 2, 3])))
    assert producer.cancel(1, Normal())[-3:] == [
        ("finished", "c2", 2),
        ("terminate", Normal()),
        ("stop", Normal()),
    ]


def test_the_end_lets_infos_go_that_wait_for_an_ask_only(bench):
    producer = partitioned(bench, partitions=1)
    join(producer, 1, 0)
    producer.ask(1, 1)
    producer.emit(0)
    producer.handle(m.Info("i"))
    assert producer.handle(m.Cast(Finish([]))) == [
        ("handle_info", "i"),
        ("finished", "c1", 1),
        ("terminate", Normal()),
        ("stop", Normal()),
    ]


# -- what the hash function drops ---------------------------------------------------------------------


def numbers():
    """A ``handle_demand`` that counts on."""
    counter = iter(range(10_000))
    return lambda demand: [next(counter) for _ in range(demand)]


def every_third(event):
    return (event, 0) if event % 3 == 0 else None


def test_what_is_dropped_is_not_replaced_and_a_consumer_can_starve(bench):
    producer = partitioned(bench, partitions=1, spread=every_third, handle_demand=numbers())
    join(producer, 1, 0)
    assert producer.ask(1, 4) == [("handle_demand", 4), ("events", "c1", 1, [0, 3])]
    assert producer.ask(1, 1) == [("handle_demand", 1)]


def test_what_is_dropped_is_replaced_if_wanted(bench):
    producer = partitioned(
        bench, partitions=1, spread=every_third, replace_discarded=True, handle_demand=numbers()
    )
    join(producer, 1, 0)
    effects = producer.ask(1, 4)
    assert [event for _, events in sent(effects) for event in events] == [0, 3, 6, 9]
    assert asked(effects) == [4, 2, 2, 1, 1]
    assert producer.ask(1, 1) == [
        ("handle_demand", 1),
        ("handle_demand", 1),
        ("handle_demand", 1),
        ("events", "c1", 1, [12]),
    ]


def test_what_comes_from_the_buffer_in_place_of_the_dropped_is_not_asked_for(bench):
    producer = partitioned(bench, partitions=1, spread=every_third, replace_discarded=True)
    producer.emit(0, 1, 2, 3)
    join(producer, 1, 0)
    assert producer.ask(1, 2) == [("events", "c1", 1, [0]), ("events", "c1", 1, [3])]
    producer.emit(4, 5)
    assert producer.buffered == 2
    assert asked(producer.ask(1, 3)) == [1, 2]


def test_what_is_still_owed_is_not_asked_for_again(bench):
    producer = partitioned(bench, partitions=1, spread=every_third, replace_discarded=True)
    join(producer, 1, 0)
    producer.ask(1, 5)
    assert asked(producer.emit(0, 1)) == [1]  # three are owed, one was dropped
    assert asked(producer.emit(2)) == [1]
    assert asked(producer.emit(3, 6, 9)) == []


def test_a_hash_function_that_drops_all_lets_other_messages_in(bench):
    producer = partitioned(
        bench, partitions=1, spread=lambda _: None, replace_discarded=True, handle_demand=numbers()
    )
    join(producer, 1, 0)
    core, mailbox = producer.core, producer.port.mailbox
    core.handle(m.Ask("c1", 1, 2))
    mailbox.append(m.Message("other"))
    for _ in range(100):
        core.handle(mailbox.pop(0))
    assert ("handle_info", "other") in producer.port.effects
    producer.port.effects = []
    mailbox.append(m.Stop(Normal()))
    while producer.port.stopped is None:
        core.handle(mailbox.pop(0))
    assert producer.port.effects[-2:] == [("terminate", Normal()), ("stop", Normal())]
    assert len(producer.port.effects) < 5


def test_a_consumer_does_not_starve_while_demand_accumulates(bench):
    producer = partitioned(
        bench, partitions=1, spread=every_third, replace_discarded=True, handle_demand=numbers()
    )
    join(producer, 1, 0)
    producer.core.handle(m.Ask("c1", 1, 2))  # gets 0; the replacement of 1 is on its way
    producer.core.handle(m.SetDemand("accumulate"))
    assert asked(producer.handle()) == []
    assert sent(producer.handle(m.SetDemand("forward"))) == [(1, [3])]


# -- options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("partitions", "options", "wrong"),
    [
        (0, {}, "option 'partitions': must be 1 or more, got 0"),
        (True, {}, "option 'partitions': must be an integer, got True"),
        (1.5, {}, "option 'partitions': must be a number, 1 or more, or the names, at least one, got 1.5"),
        ([], {}, "option 'partitions': must be a number, 1 or more, or the names, at least one, got []"),
        ("ab", {}, "option 'partitions': must be a number, 1 or more, or the names, at least one, got 'ab'"),
        ([{}], {}, "option 'partitions': must be a number, 1 or more, or the names, at least one, got [{}]"),
        (
            ["a"],
            {},
            "option 'hash': must be a function, for partitions whose names are no integers, got None",
        ),
        (2, {"hash": 5}, "option 'hash': must be a function of one event, got 5"),
        (2, {"replace_discarded": 1}, "option 'replace_discarded': must be True or False, got 1"),
    ],
)
def test_a_wrong_option_says_its_name_its_value_and_what_is_allowed(partitions, options, wrong):
    with pytest.raises(OptionError) as error:
        PartitionDispatcher(partitions, **options)
    assert str(error.value) == wrong


def test_names_are_any_iterable_and_count_once():
    dispatcher = PartitionDispatcher(iter(["b", "a", "b"]), hash=lambda event: (event, event))
    with pytest.raises(OptionError, match="must be one of 'b', 'a', got None"):
        dispatcher.subscribe(1, "c1", {})


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({}, "option 'partition': must be one of 0, 1, got None"),
        ({"partition": 2}, "option 'partition': must be one of 0, 1, got 2"),
        ({"partition": []}, "option 'partition': must be one of 0, 1, got []"),
        ({"partition": 0}, "option 'partition': must be a free one; c1 has it, got 0"),
    ],
    ids=["missing", "unknown", "no name", "taken"],
)
def test_a_subscription_to_no_free_partition_ends_the_producer(bench, options, wrong):
    producer = partitioned(bench)
    join(producer, 1, 0)
    producer.subscribe(2, **options)
    assert isinstance(producer.port.stopped, Crash)
    assert str(producer.port.stopped.exception) == wrong


@pytest.mark.parametrize(
    ("result", "shown"),
    [((7, 2), "(7, 2)"), ((7, []), "(7, [])"), (1, "1"), ((1, 2, 3), "(1, 2, 3)"), ([7, 1], "[7, 1]")],
)
def test_a_hash_function_that_names_no_partition_ends_the_producer(bench, result, shown):
    producer = partitioned(bench, spread=lambda _: result)
    join(producer, 1, 0)
    producer.ask(1, 1)
    assert sent(producer.emit(7)) == []
    assert str(producer.port.stopped.exception) == (
        "option 'hash': must be a function that returns (event, partition) or None, the partition one of "
        f"0, 1, also for 7, got {shown}"
    )


def test_by_default_events_are_spread_over_all_partitions_the_same_way_each_time(bench):
    ways = []
    for names in (4, [10, 11, 12, 13]):
        producer = bench("producer", {"dispatcher": PartitionDispatcher(names)})
        for tag, name in enumerate(range(names) if names == 4 else names, 1):
            join(producer, tag, name)
            producer.ask(tag, 100)
        ways.append(sorted(sent(producer.emit(*(f"user {n}" for n in range(100))))))
    assert ways[0] == ways[1]
    sizes = [len(events) for _, events in ways[0]]
    assert sizes == [24, 26, 24, 26]


# -- looked at from outside ---------------------------------------------------------------------------


def test_what_waits_in_a_partition_and_who_waits_can_be_seen(bench):
    producer = partitioned(bench, partitions=3, spread=lambda event: (event, event % 3))
    dispatcher = producer.core.producing.dispatcher
    join(producer, 1, 0)
    join(producer, 2, 1)
    producer.ask(1, 2)
    producer.ask(2, 5)
    producer.emit(0, 3, 6, 2, 1)
    producer.core.handle(m.Info("after them"))

    assert dispatcher.waiting() == {1: 0, 2: 4}
    assert dispatcher.kept() == [(0, 1, True), (2, 1, False)]  # the info waits there too, and is no event
