"""Conformance checks for a dispatcher of one's own.

They run the dispatcher in a real producer's core, without threads. A failure names the rule that is broken:

D1. Nothing is taken before anybody has asked. *Intent: what nobody waits for belongs to the stage's buffer.*
D2. What consumers ask for comes to be demand, a number, 0 or more: once all have asked for n events, the
    producer has been asked for n at least, and for no more than all asks together. *Intent: less, and they
    wait for ever; more, and the buffer grows.*
D3. A subscription gets no more events than it has asked for, none after its end, and at its own address.
    *Intent: that is what back-pressure is.*
D4. Events are taken from the front; what ``dispatch`` returns is the rest, unchanged. A subscription gets
    them in the order in which they were made, and none twice. *Intent: the rest is offered again, and would
    be doubled or lost.*
D5. ``room`` changes nothing; as many events as it says are taken when they are offered to ``dispatch``.
    *Intent: the stage drains its buffer by it.*
D6. Each event that is taken is delivered to somebody, at once or on a later ask; ``settle`` says when all
    have been. *Intent: the end of the data comes after the last event.*
D7. A consumer that leaves does not hold up the others. *Intent: its demand, and what it was to get, must not
    be waited for.*
D8. There is never more room than the producer owes and the buffer holds. *Intent: else a consumer waits, and
    nobody was asked.*
D9. An info is sent once, when the events before it have left. *Intent: the stage waits for it.*

A ``required`` check shows what every dispatcher has to do. A ``stochastic`` one follows random scripts, each
with a seed that the failure tells; it can miss what they do not reach.

Source:
    The rules' form, and the two words, are those of the technology compatibility kit of Reactive Streams.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from genstage._core.reasons import Normal
from genstage._core.results import Finish
from genstage.testing.trial import Trial, broken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genstage._core.dispatchers.base import Dispatcher

__all__ = ["DispatcherConformance"]

FEW = 5

PLENTY = 200
"""More than any check has made before it asks for so much."""


class DispatcherConformance(ABC):
    """Checks that a test class inherits; pytest finds them.

    Attributes:
        consumers: How many consumers there are, 2 or more.
        drops: Whether the dispatcher drops events on purpose, so that nobody gets them; rules D6 to D8 are
            not checked then.
        seeds: The scripts of the stochastic checks.

    Example:
        ::

            class TestFirstFirst(DispatcherConformance):
                def make_dispatcher(self):
                    return FirstFirst()
    """

    consumers: ClassVar[int] = 3
    drops: ClassVar[bool] = False
    seeds: ClassVar[Sequence[int]] = range(25)

    @abstractmethod
    def make_dispatcher(self) -> Dispatcher:
        """A new dispatcher."""

    def subscription_options(self, place: int) -> Mapping[str, Any]:  # noqa: ARG002 - for overriding
        """The options of the consumer at one of the places 0, 1, … ``consumers - 1``; by default none.

        A place has one consumer at a time.
        """
        return {}

    def make_event(self, number: int) -> Any:
        """An event; different ones for different numbers. By default the number."""
        return number

    def _trial(self) -> Trial:
        return Trial(self.make_dispatcher(), self.make_event)

    def _all(self) -> tuple[Trial, list[int]]:
        trial = self._trial()
        return trial, [trial.subscribe(self.subscription_options(place)) for place in range(self.consumers)]

    # -- required -------------------------------------------------------------------------------------

    def test_required_d1_nothing_is_taken_before_anybody_asks(self) -> None:
        """Not without a consumer, and not when all have just subscribed."""
        trial = self._trial()
        trial.emit(3)
        for place in range(self.consumers):
            trial.subscribe(self.subscription_options(place))
        trial.emit(3)
        if trial.buffered != len(trial.made):
            raise broken("D1", f"{len(trial.made) - trial.buffered} events were taken, and nobody had asked")

    def test_required_d2_what_is_asked_for_comes_to_be_demand(self) -> None:
        """All ask, twice."""
        trial, tags = self._all()
        for asked in (5, 10):
            for tag in tags:
                trial.ask(tag, 5)
            demand, most = sum(trial.source.demands), asked * len(tags)
            if not asked <= demand <= most:
                raise broken(
                    "D2", f"{demand} events are asked for; at least {asked}, at most {most} it must be"
                )

    def test_required_d3_d4_d5_events_reach_who_has_asked_in_order(self) -> None:
        """The producer makes more than it is asked for, in several ways."""
        trial, tags = self._all()
        for number in (1, 2, 7):
            for tag in tags:
                trial.ask(tag, number)
            trial.emit(number)
            trial.emit(3 * number * len(tags))
        if not any(consumer.got for consumer in trial.consumers.values()):
            raise broken("D5", "nobody gets anything")

    def test_required_d6_the_end_comes_when_all_that_was_taken_has_been_delivered(self) -> None:
        """What consumers do not wait for when the data ends, they get on a later ask."""
        if self.drops:
            return
        trial, tags = self._all()
        for tag in tags:
            trial.ask(tag, 5)
        trial.emit(20, Finish)
        for tag in tags:
            if trial.stopped is None:
                trial.ask(tag, PLENTY)
        missing = len(trial.made) - len({number for each in trial.consumers.values() for number in each.got})
        if missing:
            raise broken("D6", f"{missing} of {len(trial.made)} events are missing at the end")
        if trial.stopped != Normal():
            raise broken("D6", "all events have been delivered, and the data does not end")

    def test_required_d7_who_leaves_does_not_hold_up_the_others(self) -> None:
        """One leaves without a word, one with demand of its own; then the others go on."""
        if self.drops:
            return
        for asks_first in (False, True):
            trial, tags = self._all()
            for tag in tags[0 if asks_first else 1 :]:
                trial.ask(tag, FEW)
            trial.cancel(tags[0])
            for tag in tags[1:]:
                trial.ask(tag, PLENTY)
            trial.serve()
            trial.emit(PLENTY)
            slow = [tag for tag in tags[1:] if len(trial.consumers[tag].got) <= FEW]
            if slow:
                raise broken("D7", f"after a cancel, {len(slow)} consumers get nothing any more")

    def test_required_d9_an_info_is_sent_once(self) -> None:
        """Two infos, one before and one behind events that wait."""
        trial, tags = self._all()
        trial.info("first")
        trial.ask(tags[0], 2)
        trial.emit(9)
        trial.info("second")
        for tag in tags:
            trial.ask(tag, PLENTY)
        if trial.source.infos != ["first", "second"]:
            raise broken("D9", f"instead of 'first' and 'second', the stage got {trial.source.infos}")

    # -- stochastic -----------------------------------------------------------------------------------

    def test_stochastic_d3_d4_d5_d8_any_script(self) -> None:
        """Subscriptions, asks, cancels and emissions in random order."""
        for seed in self.seeds:
            script: list[str] = []
            try:
                self._follow(Random(seed), script)  # noqa: S311 - a reproducible script
            except AssertionError as error:
                error.add_note(f"seed {seed}: {', '.join(script)}")
                raise

    def _follow(self, random: Random, script: list[str]) -> None:
        trial = self._trial()
        places: dict[int, int] = {}
        for _ in range(40):
            place, number = random.randrange(self.consumers), random.randint(1, 6)
            step = random.choice(["subscribe", "ask", "ask", "ask", "emit", "emit", "serve", "cancel"])
            tag = places.get(place)
            if step in ("emit", "serve"):
                script.append(f"{step} {number}" if step == "emit" else step)
                trial.emit(number if step == "emit" else trial.source.owes)
            elif tag is None:
                script.append(f"subscribe at {place}")
                places[place] = trial.subscribe(self.subscription_options(place))
            elif step == "cancel":
                script.append(f"cancel at {place}")
                del places[place]
                trial.cancel(tag)
            else:
                script.append(f"ask {number} at {place}")
                trial.ask(tag, number)
            self._check_room(trial)

    def _check_room(self, trial: Trial) -> None:
        room, owed = trial.room(), trial.source.owes
        if room > owed + trial.buffered and not self.drops:
            raise broken("D8", f"there is room for {room}, but the producer owes {owed} only")
