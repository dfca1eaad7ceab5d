"""What a type checker says of children for events."""

from typing import assert_type

from genstage import (
    ChildCounts,
    ChildInfo,
    ChildSpec,
    Consumer,
    ConsumerSupervisor,
    ConsumerSupervisorRef,
    Runtime,
    StageRef,
    Task,
    child_spec,
)


def send(number: int) -> None: ...


class Room(Consumer[str]):
    def __init__(self, guest: str) -> None:
        self.guest = guest


def start(number: int) -> Task:
    return Task(send, number)


with Runtime() as runtime:
    numbers = runtime.from_iterable([1, 2])
    names = runtime.from_iterable("ab")

    office = runtime.supervise(ConsumerSupervisor(start))
    hotel = runtime.supervise(ConsumerSupervisor(Room, restart="transient", blocking=True))
    assert_type(office, ConsumerSupervisorRef[int])
    assert_type(hotel, ConsumerSupervisorRef[str])
    assert_type(office.start_child(1), StageRef | None)
    assert_type(office.which_children(), list[ChildInfo])
    assert_type(office.count_children(), ChildCounts)
    office.subscribe(numbers, max_demand=10)
    hotel.subscribe(names)

    office.subscribe(names)  # refused: arg-type
    office.start_child("one")  # refused: arg-type

spec = child_spec("hotel", ConsumerSupervisor(Room))
assert_type(spec, ChildSpec[ConsumerSupervisorRef[str]])

ConsumerSupervisor(start, restart="permanent")  # refused: arg-type
ConsumerSupervisor(Room("Ada"))  # refused: arg-type
ConsumerSupervisor(send)  # refused: arg-type
