"""A core on a port that writes down what it does, and a stage that does what the test says."""

import pytest

from genstage._core import messages as m
from genstage._core.stage import StageCore

ME = "me"


class RecordingPort:
    """Writes effects down as tuples; what the core sends to itself waits in ``mailbox``."""

    me = ME

    def __init__(self):
        self.effects = []
        self.mailbox = []
        self.replies = []
        self.watched = {}
        self.unknown = set()
        self.stopped = None
        self._tag = 100
        self._watch = 0

    def send(self, to, message):
        if to == ME:
            self.mailbox.append(message)
            return
        kind = type(message).__name__.lower()
        detail = {
            m.Events: lambda: (list(message.events),),
            m.Ask: lambda: (message.count,),
            m.Cancel: lambda: (message.reason,),
            m.Cancelled: lambda: (message.reason,),
            m.Subscribe: lambda: (message.options,),
            m.Finished: lambda: (),
        }[type(message)]()
        self.effects.append((kind, to, message.tag, *detail))

    def watch(self, peer):
        self._watch += 1
        self.watched[self._watch] = peer
        return self._watch

    def unwatch(self, watch):
        del self.watched[watch]

    def reply(self, to, value):
        self.replies.append((to, value))

    def resolve(self, target):
        return None if target in self.unknown else target

    def new_tag(self):
        self._tag += 1
        return self._tag

    def report(self, event, **fields):
        self.effects.append(("report", event, fields))

    def stop(self, reason):
        assert self.stopped is None, "a stage ends once"
        self.stopped = reason
        self.effects.append(("stop", reason))


class Probe:
    """A stage; keyword arguments are its callbacks, plain values what they return. Calls are written down.

    ``modes`` is what ``handle_subscribe`` returns, by role.
    """

    def __init__(self, port, options, returns, modes):
        self._port = port
        self._options = options
        self._returns = returns
        self._modes = modes

    def _call(self, name, *arguments):
        self._port.effects.append((name, *arguments))
        result = self._returns.get(name, [])
        return result(*arguments) if callable(result) else result

    def init(self):
        return self._options

    def handle_subscribe(self, role, options, subscription):
        self._port.effects.append(("handle_subscribe", role, options, subscription.tag))
        return self._modes.get(role, "automatic")

    def handle_cancel(self, cancellation, subscription):
        return self._call("handle_cancel", cancellation.kind, cancellation.reason, subscription.tag)

    def handle_demand(self, demand):
        return self._call("handle_demand", demand)

    def handle_drain(self):
        return self._call("handle_drain")

    def handle_events(self, events, origin):
        return self._call("handle_events", list(events), origin.tag)

    def handle_call(self, request, reply):
        return self._call("handle_call", request, reply)

    def handle_cast(self, request):
        """Emit what the request says."""
        return request

    def handle_info(self, message):
        return self._call("handle_info", message)

    def format_discarded(self, count):
        return self._call("format_discarded", count) in ([], True)

    def terminate(self, reason):
        return self._call("terminate", reason)


class Bench:
    """One core under test; every method gives what it set off, in order."""

    def __init__(self, kind, options, returns, modes):
        self.port = RecordingPort()
        self.stage = Probe(self.port, options, returns, modes)
        self.core = StageCore(self.stage, kind, self.port, "stage under test")

    def start(self):
        return self.core.start()

    def handle(self, *messages):
        """Handle messages, then what the core sent itself, until all is quiet."""
        self.port.effects = []
        self.port.mailbox += messages
        while self.port.mailbox and self.port.stopped is None:
            self.core.handle(self.port.mailbox.pop(0))
        return self.port.effects

    def subscribe(self, *tags, **options):
        """Consumers ``c1``, ``c2`` … subscribe, by their tags 1, 2 …"""
        return self.handle(*(m.Subscribe(f"c{tag}", tag, options) for tag in tags))

    def ask(self, tag, count):
        return self.handle(m.Ask(f"c{tag}", tag, count))

    def cancel(self, tag, reason):
        return self.handle(m.Cancel(f"c{tag}", tag, reason))

    def emit(self, *events):
        return self.handle(m.Cast(list(events)))

    def subscribe_to(self, target, **options):
        """The stage subscribes to a producer; its tags are 101, 102 …"""
        return self.handle(m.SubscribeTo(target, options, "caller"))

    def events(self, tag, *events, sender="p1"):
        return self.handle(m.Events(sender, tag, list(events)))

    def down(self, peer, reason):
        """A watched peer ends."""
        watches = [watch for watch, watched in self.port.watched.items() if watched == peer]
        return self.handle(*(m.Down(watch, reason) for watch in watches))

    @property
    def buffered(self):
        return self.core.producing.estimate_buffered()


@pytest.fixture
def bench():
    """Make and start a stage: ``bench(kind, options, modes={}, handle_demand=…, …)``."""

    def make(kind, options=None, *, modes=None, **returns):
        made = Bench(kind, options, returns, modes or {})
        assert made.start() is None
        made.port.effects = []
        return made

    return make
