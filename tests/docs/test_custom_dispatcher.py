"""The page's dispatcher passes the checks that the page shows."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "custom-dispatcher.md"


def test_the_dispatcher_of_the_page_conforms():
    dispatcher, _, checks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = {}
    exec(dispatcher + checks, names)  # noqa: S102 - our own page
    conformance = names["TestPriorityDispatcher"]()
    rules = [name for name in dir(conformance) if name.startswith("test_")]
    assert len(rules) == 7
    for name in rules:
        getattr(conformance, name)()
