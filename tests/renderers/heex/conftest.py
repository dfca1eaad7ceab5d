import json

import pytest

from genstage.testing import RecordingOutput
from renderers.heex import HeexConsumer


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
def make_heex(drive):
    """Makes the files of records, cut into chunks."""

    def make(report, names, records, cuts=()):
        output, sizes = RecordingOutput(), []
        driven = drive(
            HeexConsumer,
            report,
            names,
            records,
            cuts=cuts,
            output=output,
            look=lambda: sizes.append(output.parts[f"{report.name}.rows.ndjson"].size),
        )
        return Made(
            report.name, output, driven.result, rows=driven.rows, after_chunk=sizes, states=driven.states
        )

    return make
