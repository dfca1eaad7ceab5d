"""Asking by hand: batches as they are sent, nothing sent, and a rate limiter."""

from genstage import BroadcastDispatcher

from .conftest import TellingConsumer

MANUAL = {"modes": {"producer": "manual"}}


def test_a_message_comes_whole_whatever_the_window_says(stages):
    source = stages.producer(end=100)
    subscription = stages.consumer().subscribe(source, max_demand=10, min_demand=5, **MANUAL)
    subscription.ask(33)
    stages.settle()

    assert stages.of("consumer", "events") == [list(range(33))]
    assert stages.of("producer", "demand") == [33]


def test_who_asks_for_nothing_sends_nothing(stages):
    source = stages.producer(end=100)
    stages.consumer().subscribe(source, **MANUAL).ask(0)
    stages.settle()
    assert stages.of("producer", "demand") == []


def test_a_message_whose_events_a_selector_has_all_rejected_comes_empty(stages):
    source = stages.producer(end=2, dispatcher=BroadcastDispatcher())
    subscription = stages.consumer().subscribe(source, selector=lambda _: False, **MANUAL)
    subscription.ask(2)
    stages.settle()
    assert [] in stages.of("consumer", "events")
    assert [event for batch in stages.of("consumer", "events") for event in batch] == []


class RateLimiter(TellingConsumer):
    """Takes at most so many events of each producer per interval, as in GenStage's documentation."""

    def __init__(self, name, story, options):
        super().__init__(name, story, options)
        self.producers = {}

    def handle_subscribe(self, role, options, subscription):
        super().handle_subscribe(role, options, subscription)
        self.producers[subscription] = options["at_most"]
        self.tick(subscription)
        return "manual"

    def handle_cancel(self, cancellation, subscription):
        super().handle_cancel(cancellation, subscription)
        del self.producers[subscription]

    def handle_events(self, events, origin):
        super().handle_events(events, origin)
        self.producers[origin] += len(events)

    def handle_info(self, message):
        kind, subscription = message
        assert kind == "tick"
        if subscription in self.producers:
            self.tick(subscription)

    def tick(self, subscription):
        pending, self.producers[subscription] = self.producers[subscription], 0
        subscription.ask(pending)
        self.stage.send_after(0.001, ("tick", subscription))


def test_a_rate_limiter_asks_for_what_it_has_taken_on_each_tick(stages):
    source = stages.producer(end=25)
    ref = stages.consumer("limiter", make=RateLimiter)
    subscription = ref.subscribe(source, at_most=10, cancel="temporary")
    for batch in (range(10), range(10, 20), range(20, 25)):
        stages.expect("limiter", "events", list(batch))
    stages.expect("producer", "demand", 5)
    stages.settle()
    assert stages.of("producer", "demand") == [10, 10, 10, 5]

    subscription.cancel()
    stages.settle()
    assert ref.alive
