"""Each dispatcher alone, and trees of up to six stages, under schedules that Hypothesis picks."""

from hypothesis import HealthCheck, settings

from tests.models.machine import flat, machine, trees

SETTINGS = settings(stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow])

Demand = machine(flat("demand"))
Broadcast = machine(flat("broadcast", least=2))
Partition = machine(flat("partition", "dropping", "replacing"))
Tree = machine(trees())

TestDemand = Demand.TestCase
TestBroadcast = Broadcast.TestCase
TestPartition = Partition.TestCase
TestTree = Tree.TestCase
TestDemand.settings = TestBroadcast.settings = TestPartition.settings = TestTree.settings = SETTINGS
