"""What a child's specification takes, refuses and gives."""

import math
import pickle
from types import SimpleNamespace

import pytest

from genstage import Consumer, ConsumerRef, OptionError, Producer, ProducerRef, Runtime, StartError
from genstage.supervision import ChildSpec, StageLaunch, child_spec


class Tree:
    child_type = "supervisor"

    def launch(self, name):
        return SimpleNamespace(name=name, own_lane=False, control=True)


def test_a_stage_is_a_worker_with_five_seconds():
    spec = child_spec("cache", Consumer)

    assert (spec.restart, spec.type, spec.shutdown_s, spec.significant) == ("permanent", "worker", 5.0, False)
    assert spec.launch() == StageLaunch(Consumer, "cache")
    assert child_spec("cache", Consumer, blocking=True, name="main cache").launch() == StageLaunch(
        Consumer, "main cache", own_lane=True
    )


def test_a_tree_gets_all_the_time_it_takes():
    spec = child_spec("tree", Tree())

    assert (spec.type, spec.shutdown_s) == ("supervisor", math.inf)
    assert spec.launch().name == "tree"
    assert child_spec("tree", Tree(), shutdown_s=7).shutdown_s == 7.0
    assert child_spec("stage", Consumer, shutdown_s=math.inf).shutdown_s == math.inf


@pytest.mark.parametrize(
    ("options", "option", "said"),
    [
        ({"id": ""}, "id", "text"),
        ({"id": 3}, "id", "text"),
        ({"name": ""}, "name", "text"),
        ({"start": Consumer()}, "factory", "e.g. lambda: Consumer"),
        ({"start": "Consumer"}, "factory", "the class of stage 'it'"),
        ({"restart": "always"}, "restart", "permanent, transient, temporary"),
        ({"shutdown_s": -1}, "shutdown_s", "0 or more"),
        ({"shutdown_s": "brutal_kill"}, "shutdown_s", "0 or more"),
        ({"significant": True}, "significant", "which never ends"),
        ({"significant": 1}, "significant", "True or False"),
        ({"blocking": "yes"}, "blocking", "True or False"),
        ({"start": Tree(), "blocking": True}, "blocking", "'it' is not a stage"),
    ],
)
def test_what_is_wrong_is_refused(options, option, said):
    with pytest.raises(OptionError, match=said) as raised:
        child_spec(**({"id": "it", "start": Consumer} | options))
    assert raised.value.option == option


def test_a_significant_child_may_be_transient():
    assert child_spec("it", Consumer, significant=True, restart="transient").significant


def test_a_spec_never_changes_and_pickles():
    spec = child_spec("it", Consumer, restart="temporary", shutdown_s=2)

    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - our own bytes
    assert spec == ChildSpec("it", Consumer, "temporary", 2.0)
    with pytest.raises(AttributeError):
        spec.restart = "permanent"


class Launched(StageLaunch):
    """A recipe that is its own launch, of one stage."""

    child_type = "worker"

    def launch(self, name):
        return Launched(self.factory, name)


def test_a_runtime_starts_a_recipe_and_gives_what_one_holds_of_it():
    with Runtime() as runtime:
        consumer = runtime.supervise(Launched(Consumer, ""), name="sink")
        producer = runtime.supervise(Launched(Producer, ""))

        assert isinstance(consumer, ConsumerRef)
        assert isinstance(producer, ProducerRef)
        assert runtime.find("sink") == consumer
        with pytest.raises(OptionError, match="a name that no running stage has"):
            runtime.supervise(Launched(Consumer, ""), name="sink")
        with pytest.raises(OptionError, match="not a stage"):
            runtime.supervise(Consumer)


def test_a_recipe_that_does_not_start_says_why(expected_errors):
    class Broken(Consumer):
        def init(self):
            raise KeyError("no configuration")

    with Runtime() as runtime:
        with pytest.raises(StartError, match="no configuration") as raised:
            runtime.supervise(Launched(Broken, ""))
        assert isinstance(raised.value.__cause__, KeyError)
    assert expected_errors
