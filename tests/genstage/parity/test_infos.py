"""Messages that do not overtake events, and how many events are buffered."""

import pytest

from genstage import PartitionDispatcher

from .conftest import TellingProducer

MANUAL = {"modes": {"producer": "manual"}}
BOTH = [lambda ref, message: ref.sync_info(message), lambda ref, message: ref.async_info(message)]


@pytest.fixture
def manual(stages):
    """A producer with buffer options and a consumer that asks by hand; gives the producer and an ask."""

    def manual(**options):
        source = stages.producer(**options)
        subscription = stages.consumer().subscribe(source, **MANUAL)

        def ask(count):
            subscription.ask(count)
            stages.settle()

        return source, ask

    return manual


def told(stages):
    """Batches of the consumer and infos of the producer, in order."""
    return [record[2] for record in stages.story.told if record[1] in ("events", "info")]


@pytest.mark.parametrize("send", BOTH, ids=["sync", "async"])
@pytest.mark.parametrize("kind", ["producer", "middle", "consumer"])
def test_an_info_is_handled_at_once_where_nothing_waits(stages, kind, send):
    ref = getattr(stages, kind)("one")
    send(ref, "now")
    stages.expect("one", "info", "now")


def test_an_info_waits_for_the_events_that_a_producer_consumer_has_not_handled(stages):
    source, middle = stages.producer(end=20), stages.middle(subscribe_to=["producer"])
    stages.settle()
    middle.sync_info("sync")
    middle.async_info("async")
    stages.settle()
    assert stages.of("middle", "info") == []
    assert source.estimate_buffered_count() == middle.estimate_buffered_count() == 0

    stages.consumer().subscribe(middle)
    stages.settle()
    assert [record[1] for record in stages.story.told if record[0] == "middle"][-3:] == [
        "events",
        "info",
        "info",
    ]
    assert stages.of("middle", "info") == ["sync", "async"]


@pytest.mark.parametrize("fill", [1, 2, 3])
@pytest.mark.parametrize("send", BOTH, ids=["sync", "async"])
def test_an_info_follows_the_buffered_events(stages, send, fill):
    source = stages.producer(buffer_size=3)
    source.call(list(range(fill)))
    send(source, "after")
    assert source.estimate_buffered_count() == fill
    stages.consumer().subscribe(source)
    stages.settle()

    assert told(stages) == [list(range(fill)), "after"]


def test_in_a_buffer_without_bound_an_info_counts_and_waits_for_the_next_ask(stages, manual):
    source, ask = manual(buffer_size=None)
    source.call(["a", "b", "c"])
    source.sync_info("after")
    assert source.estimate_buffered_count() == 4
    ask(3)
    assert told(stages) == [["a", "b", "c"]]
    ask(1)

    assert told(stages) == [["a", "b", "c"], "after"]
    assert [record[1] for record in stages.story.told if record[0] == "producer"][-2:] == ["demand", "info"]


def test_in_a_bounded_buffer_an_info_comes_with_the_event_before_it(stages, manual):
    source, ask = manual(buffer_size=3)
    source.call(["a", "b", "c"])
    source.sync_info("one")
    ask(2)
    source.call(["d", "e"])
    source.sync_info("two")
    assert told(stages) == [["a", "b"]]
    ask(1)
    assert told(stages)[1:] == [["c"], "one"]
    ask(2)

    assert told(stages)[3:] == [["d", "e"], "two"]


def test_an_info_is_let_go_when_the_event_before_it_is_discarded(stages):
    source = stages.producer(buffer_size=3)
    source.call(["a", "b"])
    source.sync_info("after b")
    for event in ("c", "d"):
        source.call([event])
    stages.settle()
    assert stages.of("producer", "info") == []
    source.call(["e"])

    stages.expect("producer", "info", "after b")


def test_infos_behind_one_event_stay_in_order(stages, manual):
    source, ask = manual()
    source.call(["a", "b", "c"])
    for info in "def":
        source.sync_info(info)
    source.call(["g", "h"])
    source.async_info("i")
    ask(5)

    assert [record for record in told(stages) if isinstance(record, list)] == [["a", "b", "c"], ["g", "h"]]
    assert stages.of("producer", "info") == ["d", "e", "f", "i"]


def test_a_stage_sends_itself_an_info_behind_what_it_emits(stages):
    class Extra(TellingProducer):
        def handle_demand(self, demand):
            self.stage.async_info("drained")
            return list(range(demand + 3))

    subscription = stages.consumer().subscribe(stages.producer(make=Extra), **MANUAL)
    subscription.ask(2)
    stages.settle()
    assert told(stages) == [[0, 1]]
    subscription.ask(3)
    stages.settle()

    assert told(stages) == [[0, 1], [2, 3, 4], "drained"]


def test_how_many_events_are_buffered(manual):
    source, ask = manual(buffer_size=None)
    assert source.estimate_buffered_count() == 0
    source.call(list("abcde"))
    assert source.estimate_buffered_count() == 5
    source.call(list("fgh"))
    assert source.estimate_buffered_count() == 8
    ask(8)
    assert source.estimate_buffered_count() == 0


def test_an_info_waits_until_every_partition_that_held_events_has_let_them_go(stages):
    partitions = PartitionDispatcher(partitions=[0, 1], hash=lambda event: (event, event % 2))
    source = stages.producer(dispatcher=partitions)
    asks = {}
    for number in (0, 1):
        subscription = stages.consumer(f"part-{number}").subscribe(source, partition=number, **MANUAL)
        asks[number] = subscription.ask
    asks[0](10)
    stages.settle()
    source.call([0, 1, 2, 3, 4])
    assert source.estimate_buffered_count() == 0
    source.sync_info("after")
    asks[1](1)
    stages.settle()
    assert (stages.of("part-1", "events"), stages.of("producer", "info")) == ([[1]], [])
    asks[1](2)  # one more than it holds: a partition whose demand is used up counts as holding events
    stages.settle()
    assert (stages.of("part-1", "events"), stages.of("producer", "info")) == ([[1], [3]], ["after"])
