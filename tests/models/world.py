"""A network of lazy stages, and what must hold of it after each step.

What can be seen from outside is used where it will do: messages, callbacks and what they returned. Of the
inside, only how much is buffered, logged and queued.
"""

from collections import Counter

from genstage._core import messages as m
from genstage._core.reasons import Crash, Normal, UnknownSubscription
from genstage.testing import Simulation
from tests.models.stages import PARTITIONED, PARTITIONS, Event, Middle, PlannedError, Sink, Source, selects

WINDOW = {"max_demand": 10, "min_demand": 5, "cancel": "permanent", "selector": False, "from": 0}
EXPECTED_REPORTS = {"demand_above_max", "stopping_after_cancel", "already_registered"}


class Sub:
    """A subscription, as the messages tell of it."""

    def __init__(self, consumer, producer, tag, options):
        self.consumer, self.producer, self.tag, self.options = consumer, producer, tag, options
        self.begun = False  # the producer has seen it
        self.over = False  # the producer has said that it is over
        self.finished = False  # because its data has ended
        self.asked = self.sent = self.rejected = self.handled = self.asked_for = 0
        self.last = -1
        self.partition = options.get("partition")
        self.selector = options.get("selector")

    @property
    def open(self):
        return self.begun and not self.over

    @property
    def unserved(self):
        return self.asked - self.sent - self.rejected


class World:
    """Stages in a simulation."""

    def __init__(self, plan):
        self.simulation = Simulation(schedule="")
        self.network = self.simulation._network
        self.problems = []
        self.subs = {}
        self.manual = {}
        self.stages = {}
        self.refs = {}
        self.given = {}  # by maker: how often each event was given out
        self.lost = Counter()  # by maker: dropped with the queue of a partition
        self.accumulated = set()
        self.leavers = set()
        self._post, self.network.post = self.network.post, self.on_post
        for kind, entries in (
            ("source", plan["sources"]),
            ("middle", plan["middles"]),
            ("sink", plan["sinks"]),
        ):
            for index, entry in enumerate(entries):
                self.add(f"{kind}{index}", {"source": Source, "middle": Middle, "sink": Sink}[kind], entry)
        self.settle_turn()

    def add(self, name, make, plan):
        """Start a stage, and have it subscribe."""
        stage = make(self, name, plan)
        self.stages[name] = stage
        self.given[name] = Counter()
        self.refs[name] = self.simulation.start(lambda: stage, name=name)
        if plan.get("accumulate"):
            self.accumulated.add(name)
        for upstream in plan.get("upstreams", ()):
            producers = [
                other for other, above in self.stages.items() if other != name and not isinstance(above, Sink)
            ]
            self.subscribe(name, producers[upstream["from"] % len(producers)], upstream)

    # -- what the model does ----------------------------------------------------------------------------

    def core(self, name):
        return self.refs[name]._actor.behaviour

    def alive(self, kind=object):
        return [
            name for name, stage in self.stages.items() if isinstance(stage, kind) and self.refs[name].alive
        ]

    def tell(self, name, message):
        self._post("outside", self.refs[name]._actor, message)

    def subscribe(self, consumer, producer, options, replaces=None):
        """Have a stage subscribe, if the producer has a place for it."""
        kind = self.stages[producer].plan["dispatcher"]
        given = {key: options[key] for key in ("max_demand", "min_demand", "cancel")}
        if kind == "broadcast" and options["selector"]:
            given["selector"] = self.selector(producer)
        if kind in PARTITIONED:
            free = [place for place in range(PARTITIONS) if not self.taken(producer, place)]
            if not free:
                return
            given["partition"] = free[options["from"] % len(free)]
        if replaces is not None:
            replaces = (replaces, Normal())
        self.tell(consumer, m.SubscribeTo(self.refs[producer], given, None, replaces))

    def selector(self, producer):
        def select(event):
            wanted = selects(event)
            if not wanted:
                for sub in self.subs.values():
                    if sub.selector is select and sub.open:
                        sub.rejected += 1
                        self.given[producer][event.number] += 0  # given out, to nobody
            return wanted

        return select

    def taken(self, producer, place):
        if any(
            sub.producer == producer and sub.partition == place and not sub.over for sub in self.subs.values()
        ):
            return True
        return any(
            isinstance(delivery.message, m.SubscribeTo)
            and delivery.message.options.get("partition") == place
            and delivery.message.target == self.refs[producer]
            for delivery in self.network.in_flight()
        )

    def step(self, choice):
        """Deliver one message, and check; gives whether there was one."""
        waiting = self.network.waiting()
        if not waiting:
            return False
        choice %= len(waiting)
        self.before(waiting[choice])
        self.network.step(choice)
        self.settle_turn(waiting[choice].target.name)
        return True

    def rest(self):
        """Deliver everything, in order of arrival."""
        for _ in range(20_000):
            if not self.step(0):
                return
        self.problem("it does not come to rest")
        self.check()

    def before(self, delivery):
        message, target = delivery.message, delivery.target.name
        if isinstance(message, m.Info):
            stage, finishing = self.stages[target], self.core(target).finishing
            stage.marks.append((stage.made, finishing))
        if isinstance(message, m.Subscribe):
            self.subs[message.tag].begun = True
        elif isinstance(message, m.Ask):
            sub = self.subs[message.tag]
            if sub.open and sub.producer == target:
                sub.asked += message.count  # also what a selector's rejection asks for again

    # -- what is seen -----------------------------------------------------------------------------------

    def problem(self, text):
        self.problems.append(text)

    def on_post(self, source, target, message):
        """A message is sent."""
        kind = type(message)
        if kind is m.Events:
            self.on_events(source.name, target.name, message)
        elif kind is m.Ask and source is not target:
            sub = self.subs[message.tag]
            sub.asked_for += message.count
            if message.count < 1:
                self.problem(f"{source.name} asks for {message.count}")
        elif kind is m.Subscribe:
            self.subs[message.tag] = Sub(source.name, target.name, message.tag, message.options)
        elif kind in (m.Cancelled, m.Finished) and message.tag in self.subs:
            late = kind is m.Cancelled and message.reason == UnknownSubscription()  # an answer to a late ask
            if not (late and self.subs[message.tag].over):
                self.on_terminal(self.subs[message.tag], finished=kind is m.Finished)
        self._post(source, target, message)

    def on_events(self, producer, consumer, message):
        sub = self.subs[message.tag]
        if (sub.producer, sub.consumer) != (producer, consumer):
            self.problem(f"{producer} sends events of {sub.tag} to {consumer}")
        if sub.over or not sub.begun:
            self.problem(f"{producer} sends events to {consumer}, which is not subscribed")
        sub.sent += len(message.events)
        if sub.unserved < 0:
            self.problem(f"{producer} sends {consumer} {-sub.unserved} events more than it asked for")
        given = self.given[producer]
        broadcast = self.stages[producer].plan["dispatcher"] == "broadcast"
        for event in message.events:
            if event.maker != producer:
                self.problem(f"{producer} sends an event of {event.maker}")
            if event.number <= sub.last and producer not in self.accumulated:
                self.problem(f"{producer} sends {consumer} number {event.number} after {sub.last}")
            if given[event.number] and not broadcast:
                self.problem(f"{producer} sends number {event.number} twice")
            sub.last = event.number
            given[event.number] += 1
            if sub.selector is not None and not selects(event):
                self.problem(f"{producer} sends {consumer} what its selector rejects")

    def on_terminal(self, sub, *, finished):
        if sub.over:
            self.problem(f"{sub.producer} ends its subscription {sub.tag} twice")
        sub.over, sub.finished = True, finished
        self.leavers.add(sub.producer)
        if finished:
            unsent = self.missing(sub.producer) + self.kept(sub.producer)
            if unsent:
                self.problem(f"{sub.producer} finishes with {unsent} of its events unsent")
            if any(not finishing for _, finishing in self.stages[sub.producer].marks):
                self.problem(f"{sub.producer} finishes before an info has come")

    def on_handled(self, stage, events, origin):
        """``handle_events`` is called."""
        sub = self.subs[origin.tag]
        sub.handled += len(events)
        if sub.tag in stage.ended_tags:
            self.problem(f"{stage.name} gets events after the end of their subscription")
        windowed = sub.tag not in self.manual and origin.producer is not None
        if windowed and len(events) > sub.options["max_demand"] - sub.options["min_demand"]:
            self.problem(f"{stage.name} gets a batch of {len(events)}")
        if sub.handled > sub.sent:
            self.problem(f"{stage.name} handles more than it was sent")

    def on_cancel_handled(self, stage, cancellation, subscription):
        """``handle_cancel`` is called."""
        if subscription.consumer.name != stage.name:
            return
        if subscription.tag in stage.ended_tags:
            self.problem(f"{stage.name} hears twice of the end of subscription {subscription.tag}")
        stage.ended_tags.add(subscription.tag)
        sub = self.subs[subscription.tag]
        if cancellation.kind == "finish" and sub.handled < sub.sent and not stage.done:
            self.problem(f"{stage.name} hears of the end of the data before its last event")

    def on_info(self, stage, message):
        """``handle_info`` is called: what was made before has left."""
        mark, _ = stage.marks.pop(0)
        unsent = mark - sum(number < mark for number in self.given[stage.name]) - self.gone(stage.name)
        logged = stage.name in self.accumulated  # infos do not wait for the log, as in GenStage
        if message != "news" or (unsent > 0 and not logged):
            self.problem(f"an info overtakes {unsent} events of {stage.name}")

    # -- what must hold ---------------------------------------------------------------------------------

    def settle_turn(self, turned=None):
        for sub in self.subs.values():
            if not self.refs[sub.producer].alive:
                sub.over = True
        if turned in self.alive((Source, Middle)):
            self.check_kept(turned)
            self.check_work(turned)
        self.leavers.clear()
        for sub in self.subs.values():
            self.check_window(sub)
        if next(self.network.in_flight(), None) is None:
            self.check_rest()
        self.check_reasons()
        self.check()

    def check(self):
        assert not self.problems, "; ".join(self.problems)

    def check_reasons(self):
        for _, event, fields in self.network.reports:
            if event not in EXPECTED_REPORTS:
                self.problem(f"reported: {event} {fields}")
        self.network.reports.clear()
        for name, ref in self.refs.items():
            reason = ref.reason
            if isinstance(reason, Crash) and not isinstance(reason.exception, PlannedError):
                self.problem(f"{name} crashed: {reason.exception!r}")

    def buffered(self, name):
        return sum(not entry.is_info for entry in self.core(name).producing.buffer.entries)

    def queued(self, name):
        """What waits in the partitions."""
        partitions = getattr(self.core(name).producing.dispatcher, "_partitions", {})
        return sum(
            isinstance(entry, Event) for partition in partitions.values() for entry in partition.queue or ()
        )

    def logged(self, name):
        log = self.core(name).producing._log or ()
        return sum(len(entry) for entry in log if not isinstance(entry, int))

    def missing(self, name):
        """Events that were made and are neither given out, nor kept, nor known to be lost."""
        return self.stages[name].made - len(self.given[name]) - self.kept(name) - self.gone(name)

    def kept(self, name):
        return self.buffered(name) + self.logged(name) + self.queued(name)

    def gone(self, name):
        """Events that nobody gets, and why is known."""
        return self.stages[name].discarded + self.stages[name].dropped + self.lost[name]

    def check_kept(self, name):
        """Made = given out + kept + counted losses."""
        missing = self.missing(name)
        if missing > 0 and name in self.leavers and self.stages[name].plan["dispatcher"] in PARTITIONED:
            self.lost[name] += missing  # a consumer has left its partition, and the queue went with it
        elif missing:
            self.problem(f"{name} has lost {missing} events")

    def check_work(self, name):
        """A producer-consumer works for those who wait, one message at a time."""
        if isinstance(self.stages[name], Middle):
            most = max(
                (sub.options["max_demand"] for sub in self.subs.values() if sub.consumer == name), default=0
            )
            if self.buffered(name) > 2 * most:
                self.problem(f"{name} has made {self.buffered(name)} events that nobody has asked for")

    def check_window(self, sub):
        """No more in flight than the window."""
        if sub.tag not in self.manual and self.refs[sub.consumer].alive:
            flying = sub.asked_for - sub.handled
            if flying > sub.options["max_demand"]:
                self.problem(f"{sub.consumer} asks {sub.producer} for {flying} at once")

    def open_subs(self, producer):
        return [sub for sub in self.subs.values() if sub.producer == producer and sub.open]

    def room(self, name):
        """How many events the consumers of a stage wait for."""
        producing = self.core(name).producing
        kind = self.stages[name].plan["dispatcher"]
        unserved = [sub.unserved for sub in self.open_subs(name)]
        if kind == "demand":
            return sum(unserved)
        if kind == "broadcast":
            return min(unserved, default=0)
        return producing.dispatcher.room()

    def check_rest(self):
        """Nothing is in flight: whoever waits is owed what it waits for."""
        for name in self.alive((Source, Middle)):
            core, stage = self.core(name), self.stages[name]
            if core.producing.mode == "accumulate":
                continue
            room = self.room(name)
            if room and self.buffered(name):
                self.problem(f"{name} keeps {self.buffered(name)} events, and {room} are waited for")
            if isinstance(stage, Source):
                self.check_debt(name, stage, room)
            elif room and core.pending and any(sub.unserved > 0 for sub in self.open_subs(name)):
                self.problem(f"{name} keeps {len(core.pending)} messages, and {room} events are waited for")
        for sub in self.subs.values():
            if self.refs[sub.consumer].alive:
                self.check_consumer(sub)

    def check_debt(self, name, stage, room):
        """A source owes what is waited for, and nothing is asked of it twice."""
        if stage.done:
            return
        if room > stage.owed + stage.dropped:
            self.problem(f"{name} owes {stage.owed}, and {room} are waited for")
        kind = stage.plan["dispatcher"]
        owed = self.core(name).producing.dispatcher.owed()
        if kind in ("demand", "broadcast") and not stage.unasked and owed != stage.owed:
            self.problem(f"{name} owes {stage.owed}, its dispatcher counts on {owed}")

    def check_consumer(self, sub):
        core = self.core(sub.consumer)
        upstream = core.consuming.upstreams.get(sub.tag)
        if upstream is None or core.consuming.closed:
            return
        entries = core.pending.entries if core.pending else ()
        queued = sum(
            len(getattr(entry, "events", ())) for entry in entries if getattr(entry, "tag", None) == sub.tag
        )
        if sub.handled + queued != sub.sent:
            self.problem(
                f"{sub.consumer} was sent {sub.sent} events by {sub.producer}, and has {sub.handled + queued}"
            )
        if sub.over or upstream.finished:
            if not queued and not entries:
                self.problem(f"{sub.consumer} was not told that {sub.producer} has gone")
        elif sub.tag not in self.manual and sub.asked_for - sub.handled <= sub.options["min_demand"]:
            self.problem(f"{sub.consumer} does not ask {sub.producer} again")

    # -- the end ----------------------------------------------------------------------------------------

    def finish(self):
        """Let all data come to its end, and see everything end."""
        for name in self.alive(Source):
            self.tell(name, m.SetDemand("forward"))
        self.rest()
        before = None
        for _ in range(100):
            if before == (before := self.progress()):
                break
            for name in self.alive((Source, Middle)):
                self.populate(name)
            for tag, subscription in self.manual.items():
                if not self.subs[tag].over and self.refs[self.subs[tag].consumer].alive:
                    subscription.ask(5)
            for name in self.alive(Source):
                self.tell(name, m.Cast(5))
            self.rest()
        self.check_ends()

    def progress(self):
        made = [(stage.made, getattr(stage, "asked", 0)) for stage in self.stages.values()]
        return made, [(sub.handled, sub.over) for sub in self.subs.values()], self.alive()

    def populate(self, name):
        """Somebody has to take what is made, in each partition, or the end never comes."""
        partitioned = self.stages[name].plan["dispatcher"] in PARTITIONED
        places = [place for place in range(PARTITIONS) if not self.taken(name, place)] if partitioned else [0]
        for _ in places if partitioned or not self.open_subs(name) else ():
            sink = f"late{len(self.stages)}"
            self.add(sink, Sink, {"manual": False})
            self.subscribe(sink, name, WINDOW)
            self.rest()

    def check_ends(self):
        for name in self.alive(Source):
            if self.stages[name].plan["dispatcher"] != "dropping":  # its consumers may starve, as documented
                self.problem(f"{name} does not end")
        for name in self.alive((Middle, Sink)):
            subs = [sub for sub in self.subs.values() if sub.consumer == name and sub.begun]
            ended = self.stages[name].ended_tags
            for sub in subs:
                if sub.over and sub.tag not in ended:
                    self.problem(f"{name} never hears of the end of {sub.producer}")
            permanent = [sub for sub in subs if sub.finished and sub.options["cancel"] == "permanent"]
            if permanent and all(sub.over for sub in subs):
                self.problem(f"{name} does not end")
        self.check()
