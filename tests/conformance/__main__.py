"""The command: ``python -m tests.conformance [FILE-OR-FOLDER ...]``."""
# ruff: noqa: T201 - a command that prints

import sys
from collections import Counter
from pathlib import Path

from tests.conformance.replay import replay
from tests.conformance.scenario import read

TRACES = Path(__file__).parent / "traces"


def main(paths):
    """Replay, print, and return the exit status: 1 if a scenario failed or there was none."""
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        print(f"no such file or folder: {', '.join(missing)}", file=sys.stderr)
        return 1
    families, deviating = {}, 0
    for path in paths or [TRACES]:
        for scenario in read(path):
            outcome = replay(scenario)
            families.setdefault(scenario["family"], Counter())[bool(outcome.problems)] += 1
            if outcome.problems:
                print(f"{outcome.identity}: given {scenario['given']}")
                print("\n".join(outcome.problems), end="\n\n")
            elif outcome.deviation is not None:
                deviating += 1
    for family, tally in families.items():
        print(f"{family}: {tally[False]} passed, {tally[True]} failed")
    if deviating:
        print(f"{deviating} of the passed show a mended bug: from there on, only the invariants bind")
    total = sum(families.values(), Counter())
    print(f"{total.total()} scenarios, {total[False]} passed, {total[True]} failed")
    return 1 if total[True] or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
