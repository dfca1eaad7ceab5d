import json

from benchmarks import __main__, baseline
from renderers.cli.summary import parse_baseline


def test_the_command_can_read_what_is_kept(tmp_path, monkeypatch, capsys):
    peaks = iter([120_000_000, 110_000_000, 130_000_000, 125_000_000, 115_000_000])
    monkeypatch.setattr(baseline, "_peak_bytes", lambda: next(peaks))
    file = tmp_path / "baseline.json"
    assert __main__.main(["baseline", "--json", str(file)]) == 0
    assert "120,000,000 bytes (110,000,000 to 130,000,000)" in capsys.readouterr().out
    kept = parse_baseline(file.read_text())
    assert (kept.rows, kept.peak_memory_bytes) == (1000, 120_000_000)
    assert "python" in json.loads(file.read_text())["machine"]


def test_the_peak_is_read_from_the_real_command():
    assert 50_000_000 < baseline._peak_bytes() < 500_000_000


def test_the_kept_baseline_is_one():
    assert parse_baseline(baseline.BASELINE.read_text()).rows == baseline.ROWS
