"""Bugs of GenStage that are mended here, by their names; the others stand in the tests of the core."""

from genstage import PartitionDispatcher


def test_partition_discard_stall(stages):
    source = stages.producer(
        dispatcher=PartitionDispatcher(1, hash=lambda event: (event, 0) if event % 3 else None)
    )
    source.call(list(range(12)))
    subscription = stages.consumer().subscribe(source, partition=0, modes={"producer": "manual"})
    arrived = []
    for _ in range(3):
        subscription.ask(3)
        stages.settle()
        arrived.append([event for batch in stages.of("consumer", "events") for event in batch])

    # There, the first ask brings two, and the last leaves three events in the buffer.
    assert arrived == [[1, 2, 4], [1, 2, 4, 5, 7, 8], [1, 2, 4, 5, 7, 8, 10, 11]]
    assert stages.of("producer", "demand") == []  # what was dropped is not asked for again, as there


def test_pc_demand_query_crash(stages):
    ref = stages.middle()
    assert ref.demand() == "forward"
    assert ref.alive
