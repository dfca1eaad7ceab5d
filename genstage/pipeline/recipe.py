"""A pipeline: an immutable recipe that can be run any number of times."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from genstage._core.checks import check_count, check_seconds
from genstage._runtime.refs import refuse_silenced
from genstage.client import Runtime
from genstage.pipeline.async_run import AsyncRun
from genstage.pipeline.job import GraphJob
from genstage.pipeline.launch import RunLaunch, start_run
from genstage.supervision import ChildSpec, RestartPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from genstage._runtime.launch import ChildType, Launch
    from genstage.pipeline.graph import Graph
    from genstage.pipeline.job import Job
    from genstage.pipeline.run import Run
    from genstage.supervision.spec import Restart

__all__ = ["Pipeline"]

R = TypeVar("R")


class Pipeline(Generic[R]):
    """A closed pipeline: from its sources to its result.

    It can be run, or be the child of a supervisor: ``supervisor.child(spec)`` is its :class:`Run` then.

    Args:
        name: For log records, errors and threads.
        open_job: Begins the work of one run; called in the thread that calls :meth:`run`, so that it can
            refuse bad input at once. Under a supervisor it has a thread of its own, and a refusal is a
            failed run.
        max_restarts: How often the stages begin anew in one run, 0 or more; see
            :class:`genstage.supervision.RestartPlan` for when.
        shutdown_s: Seconds the stages get to stop when a run is cancelled or fails; then they are killed.
        graph: The stages, where they are the same for all runs.

    Attributes:
        graph: As above; ``None`` where each run has its own.

    Raises:
        OptionError: An option is out of range.
    """

    def __init__(
        self,
        name: str,
        open_job: Callable[[], Job[R]],
        *,
        max_restarts: int = 3,
        shutdown_s: float = 5.0,
        graph: Graph | None = None,
    ) -> None:
        self.name = name
        self.graph = graph
        self._open_job = open_job
        self._plan = RestartPlan(check_count("max_restarts", max_restarts, 0))
        self._shutdown_s = check_seconds("shutdown_s", shutdown_s)

    @classmethod
    def of(
        cls, name: str, graph: Graph, *, max_restarts: int = 0, shutdown_s: float = 5.0
    ) -> Pipeline[Mapping[str, object]]:
        """A pipeline of nothing but stages; it is completed when all of them have ended normally.

        The run's result are the results of its sinks, by their names: what each has given to
        ``self.stage.set_result``, or ``None``.

        Args:
            name: As above.
            graph: The stages.
            max_restarts: As above; stages begin anew from nothing, so the default is 0.
            shutdown_s: As above.

        Raises:
            OptionError: An option is out of range.
        """
        return Pipeline(
            name,
            lambda: GraphJob(graph, lambda results: results),
            max_restarts=max_restarts,
            shutdown_s=shutdown_s,
            graph=graph,
        )

    def with_options(
        self, *, name: str | None = None, max_restarts: int | None = None, shutdown_s: float | None = None
    ) -> Pipeline[R]:
        """The same pipeline with other options; those left out stay as they are.

        Args:
            name: As above.
            max_restarts: As above.
            shutdown_s: As above.

        Raises:
            OptionError: An option is out of range.

        Example:
            >>> from genstage import Flow
            >>> Flow.from_iterable(range(4)).reduce(max, 0).with_options(name="largest", max_restarts=2)
            <Pipeline 'largest'>
        """
        return Pipeline(
            self.name if name is None else name,
            self._open_job,
            max_restarts=self._plan.max_restarts if max_restarts is None else max_restarts,
            shutdown_s=self._shutdown_s if shutdown_s is None else shutdown_s,
            graph=self.graph,
        )

    def run(self, *, runtime: Runtime | None = None) -> Run[R]:
        """Start a run.

        Args:
            runtime: Where its stages live; by default in a private runtime, closed when the run has been
                waited for, stopped or closed.

        Returns:
            The run, best used in a ``with`` statement.

        Raises:
            GenstageError: The input is refused, or the runtime is closed: nothing has been started, and
                nothing is left behind.
            DeadStageError: The caller is a callback whose stage has been killed in it.
        """
        refuse_silenced()
        job = self._open_job()
        try:
            private = Runtime(name=self.name) if runtime is None else None
        except BaseException:
            job.abandon(())
            raise
        home = private or runtime
        assert home is not None  # noqa: S101 - one of the two
        launch = self._launch(job)
        try:
            return start_run(launch, home._engine, private)  # noqa: SLF001 - the runtime's own part
        except BaseException:  # the job has been abandoned
            if private is not None:
                private.close()
            raise

    def child_spec(
        self,
        id: str | None = None,  # noqa: A002 - the name that OTP gives it
        *,
        restart: Restart = "transient",
        shutdown_s: float | None = None,
        significant: bool = False,
        name: str | None = None,
    ) -> ChildSpec[Run[R]]:
        """The pipeline as a child to be of a supervisor. It has started when its run has begun.

        Args:
            id: Its name among the children of its supervisor; by default the pipeline's.
            restart: Whether it is run again when a run has ended: ``"transient"``, the default, when it has
                failed; ``"permanent"``, also when it was completed or stopped; ``"temporary"``, never. Its
                own ``max_restarts`` come first: they begin the stages of one run anew.
            shutdown_s: Seconds that a run gets when the supervisor stops it; by default all that it takes.
            significant: As in :class:`genstage.supervision.ChildSpec`, and so is the next one.
            name: The name under which the runtime lists it.

        Raises:
            OptionError: An option is wrong.

        Example:
            >>> from genstage import Flow
            >>> Flow.from_iterable([1, 2, 3]).reduce(max, 0).child_spec("loading", shutdown_s=30).type
            'supervisor'
        """
        return ChildSpec(
            self.name if id is None else id,
            self,
            restart=restart,
            shutdown_s=shutdown_s,
            significant=significant,
            name=name,
        )

    @property
    def child_type(self) -> ChildType:
        """As :class:`genstage._runtime.launch.Recipe`: it has children of its own."""
        return "supervisor"

    def launch(self, name: str) -> Launch[Run[R]]:  # noqa: ARG002 - its runs have the pipeline's name
        """As :class:`genstage._runtime.launch.Recipe`."""
        return self._launch()

    def run_async(self, *, runtime: Runtime | None = None) -> AsyncRun[R]:
        """A run for asyncio, which begins when its ``async with`` block is entered.

        Args:
            runtime: As for :meth:`run`.

        Example:
            >>> import asyncio
            >>> from genstage import Flow
            >>> async def total():
            ...     async with Flow.from_iterable(range(4)).reduce(max, 0).run_async() as run:
            ...         return await run.wait(timeout_s=60)
            >>> asyncio.run(total())
            3
        """
        return AsyncRun(self.name, partial(self.run, runtime=runtime))

    def _launch(self, job: Job[R] | None = None) -> RunLaunch[R]:
        return RunLaunch(self.name, self._open_job, plan=self._plan, shutdown_s=self._shutdown_s, job=job)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name!r}>"
