"""The test kit: what a user needs to test stages and sinks of their own."""

from genstage.testing.output import RecordingOutput, RecordingPart

__all__ = ["RecordingOutput", "RecordingPart"]
