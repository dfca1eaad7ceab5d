import json
from itertools import pairwise

import pytest

from genstage.sources import Records
from genstage.streaming import Chunk
from genstage.testing import RecordingOutput
from renderers.heex import HeexConsumer
from renderers.model import lay_out
from renderers.rows import RowMaker


class Made:
    """What a report came to."""

    def __init__(self, name, output, result, *, rows, after_chunk, states):
        self.name = name
        self.template = output.data.decode()
        self.files = {file: part.data for file, part in output.parts.items()}
        self.files[f"{name}.heex"] = output.data
        self.scratches = output.scratches
        self.result = result
        self.rows = rows
        self.after_chunk = after_chunk  # size of the file of rows after begin and each chunk
        self.states = states

    def lines(self):
        *lines, rest = self.files[f"{self.name}.rows.ndjson"].split(b"\n")
        assert rest == b""
        return list(map(json.loads, lines))

    def assigns(self):
        return json.loads(self.files[f"{self.name}.assigns.json"])

    def save(self, folder):
        for file, data in self.files.items():
            (folder / file).write_bytes(data)


@pytest.fixture(scope="session")
def make_heex():
    """Makes the files of records, cut into chunks, with a new sink and its state through JSON for each."""

    def make(report, names, records, cuts=()):
        layout = lay_out(report, names)
        maker = RowMaker(layout)
        rows_state = maker.begin()
        output = RecordingOutput()
        state = HeexConsumer(layout).begin(output)
        written = output.parts[f"{report.name}.rows.ndjson"]
        edges = [*pairwise([0, *cuts, len(records)])]
        made_rows, sizes, states = [], [written.size], [state]
        for turn, (start, stop) in enumerate(edges):
            end = turn == len(edges) - 1
            rows, rows_state = maker.rows(Records(names, records[start:stop]), rows_state, end)
            made_rows += rows
            given = json.dumps(state)
            after = HeexConsumer(layout).consume_chunk(Chunk(turn, rows, start, stop, end), state, output)
            assert json.dumps(state) == given  # a state is a value
            state = json.loads(json.dumps(after))
            sizes.append(written.size)
            states.append(state)
        result = HeexConsumer(layout).finalize(state, output)
        return Made(report.name, output, result, rows=made_rows, after_chunk=sizes, states=states)

    return make
