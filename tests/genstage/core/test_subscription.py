import pytest

from genstage._core import messages as m
from genstage._core.reasons import (
    AlreadySubscribed,
    BadReturn,
    Crash,
    DuplicatedSubscription,
    Killed,
    Named,
    NoProc,
    Normal,
    Shutdown,
    UnknownSubscription,
)
from genstage._core.results import Stop
from genstage.errors import NotAConsumerError, OptionError

OOPS = Named("oops")


def test_a_consumer_subscribes_then_asks(bench):
    consumer = bench("consumer")
    assert consumer.subscribe_to("p1", max_demand=7, note="mine") == [
        ("subscribe", "p1", 101, {"max_demand": 7, "note": "mine"}),
        ("handle_subscribe", "producer", {"max_demand": 7, "note": "mine"}, 101),
        ("ask", "p1", 101, 7),
    ]
    ((caller, subscription),) = consumer.port.replies
    assert (caller, subscription.producer, subscription.tag) == ("caller", "p1", 101)
    assert consumer.port.watched == {1: "p1"}


def test_a_producer_hears_of_a_consumer_before_its_demand(bench):
    producer = bench("producer")
    assert producer.subscribe(1, note="mine") == [("handle_subscribe", "consumer", {"note": "mine"}, 1)]
    assert producer.ask(1, 3) == [("handle_demand", 3)]
    assert producer.port.watched == {1: "c1"}


def test_init_subscribes_in_order(bench):
    consumer = bench("consumer", {"subscribe_to": ["p1", ("p2", {}), ("p1", {"max_demand": 2})]})
    upstreams = consumer.core.consuming.upstreams.values()
    assert [upstream.subscription.producer for upstream in upstreams] == ["p1", "p2", "p1"]


def test_wrong_options_are_refused_before_anything_happens(bench):
    consumer = bench("consumer")
    consumer.port.unknown = {"nobody"}
    assert consumer.subscribe_to("nobody", max_demand=0) == [
        ("report", "invalid_subscription_option", {"option": "max_demand", "value": 0})
    ]
    ((_, error),) = consumer.port.replies
    assert isinstance(error, OptionError)
    assert error.option == "max_demand"


def test_a_producer_does_not_subscribe(bench):
    producer = bench("producer")
    assert producer.subscribe_to("p1") == [("report", "not_a_consumer", {"target": "p1"})]
    ((_, error),) = producer.port.replies
    assert isinstance(error, NotAConsumerError)


@pytest.mark.parametrize("cancel", ["permanent", "transient"])
def test_an_unknown_name_ends_the_stage_once_the_caller_has_its_subscription(bench, cancel):
    consumer = bench("consumer")
    consumer.port.unknown = {"nobody"}
    assert consumer.subscribe_to("nobody", cancel=cancel) == [
        ("report", "subscribe_target_not_alive", {"target": "nobody"}),
        ("terminate", NoProc()),
        ("stop", NoProc()),
    ]
    assert consumer.port.replies[0][1].tag == 101


def test_an_unknown_name_leaves_a_temporary_subscriber_alone(bench):
    consumer = bench("consumer")
    consumer.port.unknown = {"nobody"}
    assert consumer.subscribe_to("nobody", cancel="temporary") == []
    assert consumer.port.replies[0][1].producer is None
    assert consumer.core.consuming.upstreams == {}


@pytest.mark.parametrize(
    ("mode", "reason"), [("bogus", BadReturn("handle_subscribe", "bogus")), (Stop(OOPS), OOPS)]
)
def test_an_illegal_mode_or_a_stop_ends_the_consumer(bench, mode, reason):
    consumer = bench("consumer", modes={"producer": mode})
    effects = consumer.subscribe_to("p1")
    said = ["report"] if isinstance(reason, BadReturn) else []
    assert [effect[0] for effect in effects] == ["subscribe", "handle_subscribe", *said, "terminate", "stop"]
    assert effects[-1] == ("stop", reason)
    assert consumer.port.replies == []


def test_a_producer_cannot_be_manual(bench):
    producer = bench("producer", modes={"consumer": "manual"})
    assert producer.subscribe(1)[-1] == ("stop", BadReturn("handle_subscribe", "manual"))


def test_a_manual_subscription_asks_only_by_hand_and_takes_messages_whole(bench):
    consumer = bench("consumer", modes={"producer": "manual"})
    assert [effect[0] for effect in consumer.subscribe_to("p1", max_demand=4)] == [
        "subscribe",
        "handle_subscribe",
    ]
    assert consumer.handle(m.AskUpstream(101, 6)) == [("ask", "p1", 101, 6)]
    assert consumer.events(101, *range(6)) == [("handle_events", [0, 1, 2, 3, 4, 5], 101)]
    assert consumer.events(101) == [("handle_events", [], 101)]
    subscription = consumer.port.replies[0][1]
    subscription.ask(0)
    assert consumer.port.effects == [("handle_events", [], 101)]
    for wrong in (-1, True, 1.5):
        with pytest.raises(OptionError):
            subscription.ask(wrong)


def test_an_automatic_consumer_asks_after_each_batch(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1", max_demand=4, min_demand=2)
    assert consumer.events(101, 1, 2, 3) == [
        ("handle_events", [1, 2], 101),
        ("ask", "p1", 101, 2),
        ("handle_events", [3], 101),
    ]
    assert consumer.events(101) == []


def test_a_callback_that_raises_keeps_the_ask_of_the_batch_before_it(bench):
    error = ValueError("second batch")

    def handle_events(events, _tag):
        if 3 in events:
            raise error
        return []

    consumer = bench("consumer", handle_events=handle_events)
    consumer.subscribe_to("p1", max_demand=4, min_demand=2)
    assert consumer.events(101, 1, 2, 3, 4) == [
        ("handle_events", [1, 2], 101),
        ("ask", "p1", 101, 2),
        ("handle_events", [3, 4], 101),
        ("terminate", Crash(error)),
        ("stop", Crash(error)),
    ]


def test_two_subscriptions_to_one_producer_are_independent(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1", max_demand=2, min_demand=0)
    consumer.subscribe_to("p1", max_demand=1)
    assert consumer.events(102, 1) == [("handle_events", [1], 102), ("ask", "p1", 102, 1)]
    assert consumer.events(101, 2) == [("handle_events", [2], 101)]


TOLERATED = [Normal(), Shutdown(), Shutdown("detail")]
ABNORMAL = [OOPS, Killed(), NoProc(), Crash(ValueError())]
SURVIVES = {
    "temporary": [*TOLERATED, *ABNORMAL],
    "transient": TOLERATED,
    "permanent": [],
}


@pytest.mark.parametrize("cancel", SURVIVES)
@pytest.mark.parametrize("reason", [*TOLERATED, *ABNORMAL], ids=str)
@pytest.mark.parametrize("kind", ["cancel", "down"])
def test_the_cancel_mode_decides_who_survives(bench, cancel, reason, kind):
    consumer = bench("consumer")
    consumer.subscribe_to("p1", cancel=cancel)
    if kind == "down":
        effects = consumer.down("p1", reason)
    else:
        effects = consumer.handle(m.Cancelled("p1", 101, reason))
        assert consumer.port.watched == {}
    assert effects[0] == ("handle_cancel", kind, reason, 101)
    assert effects[1:] == (
        []
        if reason in SURVIVES[cancel]
        else [
            ("report", "stopping_after_cancel", {"reason": reason}),
            ("terminate", reason),
            ("stop", reason),
        ]
    )


def test_an_already_subscribed_consumer_never_ends_for_it(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1")
    assert consumer.handle(m.Cancelled("p1", 101, AlreadySubscribed())) == [
        ("handle_cancel", "cancel", AlreadySubscribed(), 101)
    ]


def test_a_stop_from_handle_cancel_wins(bench):
    consumer = bench("consumer", handle_cancel=Stop(OOPS))
    consumer.subscribe_to("p1", cancel="temporary")
    assert consumer.down("p1", Normal())[-1] == ("stop", OOPS)


def test_a_cancel_is_confirmed_before_the_callback(bench):
    producer = bench("producer")
    producer.subscribe(1)
    assert producer.cancel(1, OOPS) == [
        ("cancelled", "c1", 1, OOPS),
        ("handle_cancel", "cancel", OOPS, 1),
    ]
    assert producer.port.watched == {}
    assert producer.cancel(1, OOPS) == []


def test_a_dead_consumer_is_forgotten(bench):
    producer = bench("producer")
    producer.subscribe(1)
    assert producer.down("c1", Killed())[-1] == ("handle_cancel", "down", Killed(), 1)
    assert producer.core.watches == {}
    assert producer.core.producing.consumers == {}


def test_a_late_down_of_a_cancelled_subscription_is_ignored(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1", cancel="temporary")
    consumer.handle(m.Cancelled("p1", 101, OOPS))
    assert consumer.handle(m.Down(1, Killed())) == []


def test_a_taken_tag_is_refused_and_the_first_subscription_stays(bench):
    producer = bench("producer")
    producer.subscribe(1)
    assert producer.handle(m.Subscribe("c9", 1, {})) == [
        ("report", "duplicated_subscription", {"tag": 1}),
        ("cancelled", "c9", 1, DuplicatedSubscription()),
    ]
    assert producer.ask(1, 2) == [("handle_demand", 2)]


def test_unknown_tags_are_answered(bench):
    stage = bench("producer_consumer")
    assert stage.ask(1, 2) == [("cancelled", "c1", 1, UnknownSubscription())]
    assert stage.events(101, 1) == [("cancel", "p1", 101, UnknownSubscription())]
    assert stage.handle(m.Cancelled("p1", 101, OOPS)) == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("consumer", m.Ask("c1", 1, 1)),
        ("consumer", m.Cancel("c1", 1, OOPS)),
        ("consumer", m.Subscribe("c1", 1, {})),
        ("producer", m.Events("p1", 101, [1])),
        ("producer", m.Cancelled("p1", 101, OOPS)),
        ("producer", m.Finished("p1", 101)),
    ],
    ids=repr,
)
def test_messages_for_the_other_kind_of_stage_are_reported(bench, kind, message):
    assert bench(kind).handle(message) == [("report", "wrong_kind_message", {"message": message})]


def test_resubscribing_cancels_the_old_subscription_at_the_producer_first(bench):
    producer = bench("producer")
    producer.subscribe(1)
    assert producer.handle(m.Subscribe("c1", 2, {}, (1, OOPS))) == [
        ("cancelled", "c1", 1, OOPS),
        ("handle_cancel", "cancel", OOPS, 1),
        ("handle_subscribe", "consumer", {}, 2),
    ]


def test_a_client_cancels_through_the_consumer(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1")
    assert consumer.handle(m.CancelUpstream(101, OOPS)) == [("cancel", "p1", 101, OOPS)]
    assert consumer.handle(m.CancelUpstream(999, OOPS)) == []
    assert consumer.handle(m.AskUpstream(999, 1)) == []
    assert bench("producer").handle(m.AskUpstream(999, 1), m.CancelUpstream(999, OOPS)) == []


def test_subscriptions_compare_by_their_tags(bench):
    consumer = bench("consumer")
    consumer.subscribe_to("p1")
    consumer.subscribe_to("p1")
    (_, first), (_, second) = consumer.port.replies
    again = consumer.core.consuming.upstreams[101].subscription
    assert (first == again, first == second, first == "first") == (True, False, False)
    assert len({first, second, again}) == 2
    assert repr(first) == "<Subscription 101 of me to p1>"


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Normal(), "normal"),
        (Shutdown(), "shutdown"),
        (Shutdown("tonight"), "shutdown: tonight"),
        (Killed(), "killed"),
        (NoProc(), "no such stage, or it had ended"),
        (Crash(ValueError("bad")), "ValueError: bad"),
        (Crash(ValueError()), "ValueError"),
        (
            BadReturn("handle_demand", 3),
            "handle_demand returned 3, must return a list or other sequence of events, or None",
        ),
        (
            BadReturn("handle_call", 3),
            "handle_call returned 3, must return Reply(value), Unanswered() or Stop(reason)",
        ),
        (OOPS, "oops"),
        (AlreadySubscribed(), "already subscribed"),
        (UnknownSubscription(), "unknown subscription"),
        (DuplicatedSubscription(), "duplicated subscription"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_reasons_read_like_words(reason, text):
    assert str(reason) == text
