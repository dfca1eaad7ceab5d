"""How stages get their probes, in a simulation and in a runtime."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from genstage._core.messages import Call, GetDemand, SubscribeTo
from genstage._runtime.calls import Answer
from genstage._runtime.typed_refs import ConsumerRef, ProducerConsumerRef, ProducerRef
from genstage.errors import CallTimeoutError, DeadStageError, OptionError
from genstage.testing.probes import DownstreamProbe, UpstreamProbe

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Condition

    from genstage._core.options import CancelMode
    from genstage._core.reasons import Reason
    from genstage._runtime.refs import StageRef
    from genstage.client import Runtime
    from genstage.stage import AnyStage, Consumer, Producer, ProducerConsumer
    from genstage.testing.probes import Probe

__all__ = ["Probing", "RuntimeProbes"]

In = TypeVar("In")
Out = TypeVar("Out")

_QUIET_ROUNDS = 3


class Probing:
    """Attaches probes to stages."""

    @overload
    def probe(
        self,
        factory: Callable[[], ProducerConsumer[In, Out]],
        *,
        name: str | None = ...,
        max_demand: int = ...,
        min_demand: int | None = ...,
        cancel: CancelMode = ...,
        **options: Any,
    ) -> tuple[UpstreamProbe[In], DownstreamProbe[Out]]: ...
    @overload
    def probe(
        self, factory: Callable[[], Producer[Out]], *, name: str | None = ..., **options: Any
    ) -> DownstreamProbe[Out]: ...
    @overload
    def probe(
        self,
        factory: Callable[[], Consumer[In]],
        *,
        name: str | None = ...,
        max_demand: int = ...,
        min_demand: int | None = ...,
        cancel: CancelMode = ...,
        **options: Any,
    ) -> UpstreamProbe[In]: ...
    def probe(self, factory: Callable[[], AnyStage], *, name: str | None = None, **options: Any) -> Any:
        """Start a stage with a probe on each of its sides.

        Args:
            factory: The stage's class, or a function that makes the stage.
            name: Its name; by default made from the class name.
            options: Of the stage's subscription to the upstream probe: ``max_demand``, ``min_demand``,
                ``cancel`` and others; of a producer, those of the downstream probe's subscription.

        Returns:
            The upstream probe of a consumer, the downstream probe of a producer, and both of a
            producer-consumer.

        Raises:
            OptionError: An option is wrong.
            StartError: The stage did not start.
        """
        ref = self._start(factory, name)
        if isinstance(ref, ProducerConsumerRef):
            upstream: UpstreamProbe[Any] = self.upstream_of(ref, **options)
            return upstream, self.downstream_of(ref)
        if isinstance(ref, ProducerRef):
            return self.downstream_of(ref, **options)
        return self.upstream_of(cast("ConsumerRef[Any]", ref), **options)

    def upstream_of(
        self,
        stage: ConsumerRef[In],
        *,
        max_demand: int = 1_000,
        min_demand: int | None = None,
        cancel: CancelMode = "permanent",
        **options: Any,
    ) -> UpstreamProbe[In]:
        """Subscribe a running stage to a probe.

        Args:
            stage: The stage under test.
            max_demand: Most events in flight, 1 or more.
            min_demand: Ask for more when this few are in flight; half of ``max_demand`` by default.
            cancel: Which ends of the probe end the stage too.
            options: More options of the subscription.

        Raises:
            OptionError: An option is wrong, or ``stage`` takes no events.
        """
        if not isinstance(stage, ConsumerRef):
            raise OptionError("stage", stage, "a reference to a consumer or producer-consumer")
        options |= {"max_demand": max_demand, "cancel": cancel}
        if min_demand is not None:
            options["min_demand"] = min_demand
        probe: UpstreamProbe[In] = UpstreamProbe(self._ground(stage), stage)
        actor = self._spawn(probe, f"upstream of {stage.name}")
        stage._request(lambda answer: SubscribeTo(actor, options, answer), _SUBSCRIBE_S)  # noqa: SLF001 - the kit belongs to it
        return probe

    def downstream_of(
        self, stage: ProducerRef[Out] | ProducerConsumerRef[Any, Out], **options: Any
    ) -> DownstreamProbe[Out]:
        """Subscribe a probe to a running stage. It asks for nothing by itself.

        Args:
            stage: The stage under test.
            options: Of the subscription, for the dispatcher and for ``handle_subscribe``.

        Raises:
            OptionError: ``stage`` emits no events.
        """
        if not isinstance(stage, ProducerRef | ProducerConsumerRef):
            raise OptionError("stage", stage, "a reference to a producer or producer-consumer")
        probe: DownstreamProbe[Out] = DownstreamProbe(self._ground(stage), stage, options)
        self._spawn(probe, f"downstream of {stage.name}")
        return probe

    def _start(self, factory: Callable[[], Any], name: str | None) -> StageRef:
        raise NotImplementedError

    def _ground(self, stage: StageRef) -> Any:
        raise NotImplementedError

    def _spawn(self, probe: Probe, name: str) -> Any:
        raise NotImplementedError


_SUBSCRIBE_S = 5.0


class RuntimeProbes(Probing):
    """Probes on a real runtime. What they expect has to happen within a deadline.

    That *nothing* happens is known when the stage has handled every message that it had, and every one that
    it has sent itself meanwhile; what another thread or a timer will do to it later is not waited for.

    Args:
        runtime: Where the stages run.
        timeout_s: Seconds that an expectation may take.

    Example:
        >>> from genstage import ProducerConsumer, Runtime
        >>> class Doubler(ProducerConsumer[int, int]):
        ...     def handle_events(self, events, origin): return [2 * n for n in events]
        >>> with Runtime() as runtime:
        ...     upstream, downstream = RuntimeProbes(runtime).probe(Doubler, max_demand=4)
        ...     downstream.ask(2)
        ...     upstream.emit(1, 2)
        ...     downstream.expect_events(2, 4)
    """

    def __init__(self, runtime: Runtime, *, timeout_s: float = 5.0) -> None:
        self._runtime = runtime
        self._timeout_s = timeout_s
        self._stages: list[StageRef] = []
        self._actors: list[Any] = []
        self._probes: list[Probe] = []
        self._numbers = count(1)

    def rest(self) -> None:
        """Return when what has been set off so far has been handled.

        Raises:
            AssertionError: A stage is busy for longer than the deadline.
        """
        quiet, before = 0, -1
        while quiet < _QUIET_ROUNDS:
            for stage in self._stages:
                self._pass_through(stage)
            for actor in self._actors:
                answer = Answer()
                actor.request(Call(None, answer), answer)
                self._await(answer, "probe")
            now = sum(len(probe._history) for probe in self._probes)  # noqa: SLF001 - of this package
            quiet = quiet + 1 if now == before else 0
            before = now

    def wait(self, changed: Condition, done: Callable[[], bool]) -> None:
        """Return when something is done, or at the deadline."""
        deadline = time.monotonic() + self._timeout_s
        with changed:
            while not done() and (left_s := deadline - time.monotonic()) > 0:
                changed.wait(left_s)

    def _pass_through(self, stage: StageRef) -> None:
        try:
            stage._request(GetDemand, self._timeout_s)  # noqa: SLF001 - handled behind all that waits
        except DeadStageError:
            pass
        except CallTimeoutError as error:
            raise AssertionError(f"stage {stage.name!r} has been busy for {self._timeout_s:g} s") from error

    def _await(self, answer: Answer, name: str) -> None:
        with suppress(DeadStageError):
            answer.get(name, self._timeout_s)

    def _start(self, factory: Callable[[], Any], name: str | None) -> StageRef:
        ref: StageRef = self._runtime.start(factory, name=name)
        return ref

    def _ground(self, stage: StageRef) -> RuntimeProbes:
        self._stages.append(stage)
        return self

    def _spawn(self, probe: Probe, name: str) -> Any:
        answer = Answer()
        actor = self._runtime._engine.spawn(  # noqa: SLF001 - the kit belongs to it
            probe.attach, name=f"{name} {next(self._numbers)}", on_started=answer.deliver
        )
        reason: Reason | None = answer.get(name, self._timeout_s, to="start")
        assert reason is None, reason  # noqa: S101 - a probe always starts, unless the runtime is closed
        self._probes.append(probe)
        self._actors.append(actor)
        return actor
