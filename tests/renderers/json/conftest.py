import pytest

from genstage.testing import RecordingOutput
from renderers.json import JsonConsumer


class Made:
    """What a report came to."""

    def __init__(self, output, result, rows, after_chunk, states):
        self.output = output
        self.data = output.data
        self.result = result
        self.rows = rows
        self.after_chunk = after_chunk  # size of the file after begin and each chunk
        self.states = states


@pytest.fixture(scope="session")
def make_json(drive):
    """Makes a document of records, cut into chunks."""

    def make(report, names, records, cuts=()):
        output, sizes = RecordingOutput(), []
        driven = drive(
            JsonConsumer,
            report,
            names,
            records,
            cuts=cuts,
            output=output,
            look=lambda: sizes.append(output.size),
        )
        return Made(output, driven.result, driven.rows, sizes, driven.states)

    return make
