"""Replay of recorded behaviour of GenStage 1.3.2 against the protocol core.

``python -m tests.conformance [FILE-OR-FOLDER ...]`` prints what differs and how many scenarios passed. Each
line of a trace file is one scenario: a configuration and steps, each an input with all that was observed
after it. The format belongs to the recordings; nothing in it is specific to this implementation.
"""
