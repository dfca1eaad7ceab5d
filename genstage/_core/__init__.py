"""The protocol of GenStage as a pure state machine: no threads, no clock, no logging, no I/O.

:class:`~genstage._core.stage.StageCore` is fed messages and acts through a port. Time, randomness,
references and log lines enter or leave as data, so that the same core runs on the actor runtime and on a
simulated network.
"""
