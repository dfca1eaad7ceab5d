"""What a ``Supervisor`` does. Who is stopped and started, and when to give up, is decided elsewhere.

It does one thing at a time, as in OTP: what it is asked for, and what happens to its children, waits in a
line until what it is at is done. But it never blocks: what it is at is an *operation*, a generator that goes
on whenever a child has started or ended. So it can be told to stop at any moment, also by a supervisor above
it whose patience ends, and says at any moment which children it has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar

from genstage._core.messages import Stop
from genstage._core.reasons import Crash, Normal, Shutdown
from genstage._runtime.launch import STARTING
from genstage._runtime.refs import Ref
from genstage._runtime.starting import start_error
from genstage.errors import ChildError, DeadStageError, GenstageError
from genstage.supervision.backoff import Delays
from genstage.supervision.census import ChildCounts, ChildInfo, CountChildren, WhichChildren
from genstage.supervision.children import ChildEnded, Children
from genstage.supervision.intensity import FailedToStart, Intensity
from genstage.supervision.member import Member, TryAgain
from genstage.supervision.strategy import consequence, restart_of
from genstage.supervision.supervisor_ref import (
    DeleteChild,
    FindChild,
    RestartChild,
    StartSpec,
    TerminateById,
)
from genstage.supervision.telling import tell_gave_up, tell_not_restarted, tell_restart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from genstage._core.reasons import Reason
    from genstage._runtime.driver import Driver
    from genstage._runtime.launch import Starting
    from genstage.supervision.supervisor import Supervisor

__all__ = ["Supervising"]

Operation = Generator[None, None, None]
"""Goes on whenever a child has started or ended."""

_DONE = object()


class Supervising:
    """The behaviour of a ``Supervisor``.

    Args:
        recipe: What it is to do.
        port: The way out.
        name: Its name.
    """

    def __init__(self, recipe: Supervisor, port: Driver, name: str) -> None:
        self._recipe = recipe
        self._port = port
        self._name = name
        self._members = {spec.id: Member(spec) for spec in recipe.specs}
        self._children = Children(port)
        self._intensity = Intensity(recipe.max_restarts, recipe.restart_window_s)
        self._delays = Delays(recipe.backoff)
        self._line: deque[Any] = deque()
        self._operation: Operation | None = None
        self._started = False
        self._ending = False

    def start(self) -> Starting:
        """Begin to start the children."""
        self._operation = self._begin()
        self._go_on()
        return STARTING

    def handle(self, message: Any) -> None:
        """As :class:`~genstage._runtime.launch.Behaviour`."""
        event = self._children.handle(message)
        if event is not None:
            if isinstance(event, ChildEnded):
                self._note_end(event)
        elif isinstance(message, Stop):
            self._end(message.reason)
        elif isinstance(message, WhichChildren):
            self._port.reply(message.reply, [_info(member) for member in self._members.values()])
        elif isinstance(message, CountChildren):
            self._port.reply(message.reply, self._counts())
        elif isinstance(message, TryAgain) or type(message) in self._REQUESTS:
            self._line.append(message)
        self._go_on()

    # -- one thing at a time --------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Go on with what it is at, and then with what is next in the line."""
        while True:
            if self._operation is None:
                if not self._line:
                    return
                self._operation = self._operation_for(self._line.popleft())
            if self._operation is not None:
                if next(self._operation, _DONE) is not _DONE:
                    return  # it waits
                self._operation = None

    def _operation_for(self, message: Any) -> Operation | None:
        if isinstance(message, ChildEnded):
            return self._child_ended(message)
        if isinstance(message, TryAgain):
            return self._try_again(message)
        return self._REQUESTS[type(message)](self, message)

    def _end(self, reason: Reason) -> None:
        """Drop what it is at and what waits, stop all children, and end."""
        if self._ending:
            return
        self._ending = True
        if isinstance(reason, Normal) and not self._started:
            # A normal end would say that there is nothing to do, and it would not be started again.
            reason = Shutdown("stopped before it had started")
        self._line.clear()
        if self._operation is not None:
            self._operation.close()
        self._operation = self._stop_all(reason)

    def _note_end(self, event: ChildEnded) -> None:
        """A child has ended. Unless it was told to, or an operation waits for its start, see to it later."""
        member = self._member(event.child)
        if member is None:
            return
        member.reason = event.reason
        if event.started and not event.child.stopping and not self._ending:
            member.unseen = event
            self._line.append(event)

    def _member(self, life: Any) -> Member | None:
        """The member whose present child this is."""
        member: Member = life.member
        known = self._members.get(member.spec.id) is member and member.child is life
        return member if known else None

    # -- operations -----------------------------------------------------------------------------------

    def _begin(self) -> Operation:
        members = list(self._members.values())
        failed = yield from self._start(members)
        if failed is None:
            self._started = True
            self._port.started()
            return
        assert failed.reason is not None  # noqa: S101 - it has ended
        why = FailedToStart(self._name, failed.spec.id, failed.reason)
        self._ending = True
        yield from self._stop_all(Shutdown(why))

    def _stop_all(self, reason: Reason) -> Operation:
        yield from self._stop(reversed(self._members.values()))
        self._port.stop(reason)

    def _stop(self, members: Iterable[Member]) -> Operation:
        """Stop children one after the other."""
        for member in members:
            self._children.stop(member.child)
            yield from self._until_ended(member)
            member.unseen = None

    @staticmethod
    def _until_ended(member: Member) -> Operation:
        while member.child.alive:
            yield

    def _start(self, members: Iterable[Member]) -> Generator[None, None, Member | None]:
        """Start children one after the other; returns the first that did not start, and goes no further.

        One whose ``init`` ends it normally has nothing to do, and rests.
        """
        for member in members:
            try:
                member.renew()
            except GenstageError as error:  # a recipe refuses its input
                member.reason = Crash(error)
                return member
            self._children.start(member.child)
            while member.child.alive and not member.child.started:
                yield
            if member.child.started:
                member.waits_for = None
            elif isinstance(member.reason, Normal):
                self._rest(member)
            else:
                return member
        return None

    def _child_ended(self, event: ChildEnded) -> Operation:
        member = self._member(event.child)
        if member is None or member.unseen is not event:
            return  # it has been stopped or started with others since then
        yield from self._see_to(member, event.reason)

    def _try_again(self, message: TryAgain) -> Operation:
        first = message.members[0]
        if message.reason is not None and first.waits_for is message:
            yield from self._see_to(first, message.reason, failed_again=True)
        else:  # others may have been started meanwhile, or terminated
            yield from self._start_again(
                [member for member in message.members if member.waits_for is message]
            )

    def _see_to(self, member: Member, reason: Reason, *, failed_again: bool = False) -> Operation:
        """Do what follows from the end of a child, or from a failure to start it again."""
        members = list(self._members.values())
        recipe = self._recipe
        member.waits_for = member.unseen = None
        place = members.index(member)
        if failed_again:
            what = restart_of(recipe.strategy, members, place)
        else:
            what = consequence(recipe.strategy, recipe.auto_shutdown, members, place, reason)
        if not what.start:
            self._rest(member)
            if what.shut_down:
                self._ending = True
                yield from self._stop_all(Shutdown())
            return
        now_s = self._port.now_s
        if not self._intensity.allows(now_s):
            gave_up = tell_gave_up(self._port, self._name, member.spec.id, reason, self._intensity)
            self._ending = True
            yield from self._stop_all(Shutdown(gave_up))
            return
        yield from self._stop(members[place] for place in what.stop)
        again = [members[place] for place in what.start]
        for place in what.stop:
            if members[place].restart == "temporary":
                self._rest(members[place])
        message = self._let_wait(again)
        delay_s = self._delays.next_s(member.spec.id, now_s)
        restarts = self._intensity.restarts
        tell_restart(self._port, self._name, member.spec.id, reason, restarts=restarts, delay_s=delay_s)
        if delay_s:
            self._port.schedule(delay_s, message)
        else:
            yield from self._start_again(again)

    def _start_again(self, members: list[Member]) -> Operation:
        failed = yield from self._start(members)
        if failed is not None:
            assert failed.reason is not None  # noqa: S101 - it has ended
            tell_not_restarted(self._port, failed.spec.id, failed.reason)
            rest = members[members.index(failed) :]
            self._port.send(self._port.me, self._let_wait(rest, failed.reason))

    @staticmethod
    def _let_wait(members: list[Member], reason: Reason | None = None) -> TryAgain:
        """Have them wait for a new message."""
        message = TryAgain(tuple(members), reason)
        for member in members:
            member.waits_for = message
        return message

    def _rest(self, member: Member) -> None:
        member.rest()
        if member.restart == "temporary":
            self._forget(member)

    def _forget(self, member: Member) -> None:
        del self._members[member.spec.id]
        self._delays.forget(member.spec.id)

    # -- requests -------------------------------------------------------------------------------------

    def _start_spec(self, message: StartSpec) -> Operation:
        spec = message.spec
        known = self._members.get(spec.id)
        if known is not None:
            problem = "already_started" if known.active else "already_present"
            self._refuse(message, spec.id, problem)
            return
        try:
            member = Member(spec)
        except GenstageError as error:  # a recipe refuses its input
            self._port.reply(message.reply, error)
            return
        self._members[spec.id] = member
        failed = yield from self._start([member])
        if failed is None:
            self._port.reply(message.reply, member.handle())
            return
        member.rest()
        self._forget(member)
        self._reply_not_started(message, member)

    def _restart_child(self, message: RestartChild) -> Operation:
        member = self._resting(message, message.id)
        if member is None:
            return
        failed = yield from self._start([member])
        if failed is None:
            self._port.reply(message.reply, member.handle())
            return
        member.rest()
        self._reply_not_started(message, member)

    def _delete_child(self, message: DeleteChild) -> None:
        member = self._resting(message, message.id)
        if member is not None:
            self._forget(member)
            self._port.reply(message.reply, None)

    def _terminate(self, message: TerminateById) -> Operation:
        member = self._members.get(message.id)
        if member is None:
            self._refuse(message, message.id, "not_found")
            return
        yield from self._stop([member])
        self._rest(member)
        self._port.reply(message.reply, None)

    def _find(self, message: FindChild) -> Operation:
        member = self._members.get(message.id)
        if member is None:
            self._refuse(message, message.id, "not_found")
            return
        handle = member.handle()
        if handle is None or (isinstance(handle, Ref) and not handle.alive):
            if member.child.alive:  # whoever asks has heard of the end before the supervisor
                yield from self._until_ended(member)
                self._line.append(message)  # behind what follows from that
                return
            handle = DeadStageError(member.child.name, _state(member))
        self._port.reply(message.reply, handle)

    def _resting(self, message: RestartChild | DeleteChild, id_: str) -> Member | None:
        member = self._members.get(id_)
        if member is None:
            self._refuse(message, id_, "not_found")
        elif member.active:
            self._refuse(message, id_, "running" if member.child.alive else "restarting")
        else:
            return member
        return None

    def _refuse(self, message: Any, id_: str, problem: str) -> None:
        self._port.reply(message.reply, ChildError(self._name, id_, problem))

    def _reply_not_started(self, message: Any, member: Member) -> None:
        assert member.reason is not None  # noqa: S101 - it has ended
        self._port.reply(message.reply, start_error(member.child.name, member.reason))

    def _counts(self) -> ChildCounts:
        members = self._members.values()
        supervisors = sum(member.spec.type == "supervisor" for member in members)
        active = sum(member.child.alive for member in members)
        return ChildCounts(len(members), active, supervisors, len(members) - supervisors)

    _REQUESTS: ClassVar[dict[type, Callable[[Supervising, Any], Operation | None]]] = {
        DeleteChild: _delete_child,
        FindChild: _find,
        RestartChild: _restart_child,
        StartSpec: _start_spec,
        TerminateById: _terminate,
    }


def _state(member: Member) -> str:
    if member.restarting:
        return f"it is being started again, after: {member.reason}"
    return "it has not been started" if member.reason is None else str(member.reason)


def _info(member: Member) -> ChildInfo:
    ref = member.handle() if member.child.alive else None
    return ChildInfo(member.spec.id, ref, member.spec.type, member.restarting)
