"""What callbacks may return and when they run: init, calls, messages, the end."""

import threading

import pytest

from genstage import Consumer, OptionError, Producer, ProducerConsumer, Reply, StartError, Stop, Unanswered
from genstage._core.messages import Down
from genstage._core.reasons import BadReturn, Named, Normal

from .conftest import DEADLINE_S

OOPS = Named("oops")
BASES = [Producer, ProducerConsumer, Consumer]
KINDS = ["producer", "middle", "consumer"]


@pytest.fixture
def refused(stages):
    """Starts a stage of a kind whose ``init`` returns a value; gives the error."""

    def refused(base, value):
        class Starting(base):
            def init(self):
                return value

            def terminate(self, reason):
                stages.story.tell("terminated", reason)

        with pytest.raises((StartError, OptionError)) as caught:
            stages.runtime.start(Starting, name="starting")
        assert stages.story.told == []
        return caught.value

    return refused


@pytest.mark.parametrize("base", BASES)
def test_init_may_refuse_to_start(refused, base):
    assert refused(base, Stop(OOPS)).reason == OOPS


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("value", ["unknown", ("producer", 0), 7], ids=repr)
def test_init_returns_options_or_nothing(refused, base, value):
    assert refused(base, value).reason == BadReturn("init", value)


@pytest.mark.parametrize(
    ("base", "option", "value", "expected"),
    [
        (Producer, "buffer_size", -1, "1 or more"),
        (ProducerConsumer, "buffer_size", -1, "1 or more"),
        (Producer, "dispatcher", 0, "a dispatcher, such as BroadcastDispatcher()"),
        (ProducerConsumer, "dispatcher", 0, "a dispatcher, such as BroadcastDispatcher()"),
        (Producer, "unknown", "value", "one of dispatcher, buffer_size, buffer_keep, demand for a producer"),
        (
            ProducerConsumer,
            "unknown",
            "value",
            "one of dispatcher, subscribe_to, buffer_size, buffer_keep for a producer_consumer",
        ),
        (Consumer, "unknown", "value", "one of subscribe_to for a consumer"),
    ],
)
def test_init_is_told_which_option_is_wrong(refused, base, option, value, expected):
    error = refused(base, {option: value})
    assert (error.option, error.value, error.expected) == (option, value, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_taken_while_its_stage_lives(stages, kind):
    first = getattr(stages, kind)("one")
    with pytest.raises(OptionError, match="option 'name': must be a name that no running stage has"):
        getattr(stages, kind)("one")

    assert first.alive
    first.stop()
    getattr(stages, kind)("one")


@pytest.fixture
def waiting(stages):
    """A producer with a consumer that waits for three events."""

    def waiting(**options):
        source = stages.producer(**options)
        ref = stages.consumer()
        ref.subscribe(source, modes={"producer": "manual"}).ask(3)
        stages.expect("producer", "demand", 3)
        return source, ref

    return waiting


def test_events_go_out_before_the_reply_they_are_returned_with(stages, waiting):
    source, ref = waiting()
    assert source.call([1, 2, 3]) == "queued"
    ref.call(lambda _stage, _reply_to: Reply(None))  # behind the events

    assert stages.of("consumer", "events") == [[1, 2, 3]]


def test_a_reply_may_go_out_before_the_events(stages, waiting):
    def reply_first(stage, reply_to):
        stage.stage.reply(reply_to, "first")
        assert replied.wait(DEADLINE_S)
        return Unanswered([1, 2, 3])

    replied = threading.Event()
    source, _ = waiting(blocking=True)
    assert source.call(reply_first) == "first"
    assert stages.of("consumer", "events") == []
    replied.set()
    stages.expect("consumer", "events", [1, 2, 3])


def test_a_call_may_end_the_stage(stages):
    source = stages.producer()
    assert source.call(lambda _stage, _reply_to: Stop(OOPS, reply=Reply("last"))) == "last"
    assert stages.ended(source) == OOPS
    assert stages.of("producer", "terminated") == [OOPS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("message", ["hello", Down(7, OOPS)], ids=["a text", "news of somebody's end"])
def test_any_message_of_others_comes_to_handle_info(stages, kind, message):
    getattr(stages, kind)("stage").send(message)
    stages.expect("stage", "info", message)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reason", [None, OOPS], ids=str)
def test_terminate_has_run_when_stop_returns(stages, kind, reason):
    ref = getattr(stages, kind)("stage")
    ref.stop(reason)

    assert stages.of("stage", "terminated") == [reason or Normal()]
    assert not ref.alive


def test_a_consumer_cannot_emit(stages, expected_errors):
    ref = stages.consumer()
    assert ref.call(["a", "b"]) == "queued"
    ref.cast(["c"])
    stages.settle()

    assert [(record.event, record.stage) for record in expected_errors] == [
        ("consumer cannot emit", "consumer")
    ] * 2
    assert ref.alive


def test_references_show_kind_state_and_counts(stages):
    first = stages.producer(end=12)
    second = stages.middle()
    third = stages.consumer(subscribe_to=[(second, {"max_demand": 4, "min_demand": 0})])
    second.subscribe(first, max_demand=10, min_demand=0)
    stages.settle()
    first.call(["buffered"] * 3, timeout_s=DEADLINE_S)
    stages.settle()

    def shown(ref):
        return repr(ref).removesuffix(" lane=shared>")

    assert shown(first) == "<ProducerRef 'producer' running out=15 demand=5 buffered=0"
    assert shown(second) == "<ProducerConsumerRef 'middle' running in=15 out=30 demand=2 buffered=0"
    assert shown(third) == "<ConsumerRef 'consumer' running in=30"
    first.stop()
    assert shown(first) == "<ProducerRef 'producer' ended (normal) out=15 demand=5 buffered=0"
