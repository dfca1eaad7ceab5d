import json
from itertools import pairwise

import pytest

from genstage.sources import Records
from genstage.streaming import Chunk
from genstage.testing import RecordingOutput
from renderers.json import JsonConsumer
from renderers.model import lay_out
from renderers.rows import RowMaker


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
def make_json():
    """Makes a document of records, cut into chunks, with a new sink and its state through JSON for each."""

    def make(report, names, records, cuts=()):
        layout = lay_out(report, names)
        maker = RowMaker(layout)
        rows_state = maker.begin()
        output = RecordingOutput()
        state = JsonConsumer(layout).begin(output)
        edges = [*pairwise([0, *cuts, len(records)])]
        made_rows, sizes, states = [], [output.size], [state]
        for turn, (start, stop) in enumerate(edges):
            end = turn == len(edges) - 1
            rows, rows_state = maker.rows(Records(names, records[start:stop]), rows_state, end)
            made_rows += rows
            given = json.dumps(state)
            after = JsonConsumer(layout).consume_chunk(Chunk(turn, rows, start, stop, end), state, output)
            assert json.dumps(state) == given  # a state is a value
            state = json.loads(json.dumps(after))
            sizes.append(output.size)
            states.append(state)
        result = JsonConsumer(layout).finalize(state, output)
        return Made(output, result, made_rows, sizes, states)

    return make
