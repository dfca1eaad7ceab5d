"""The page that maps GenStage to this package names all of GenStage, and nothing here that does not exist."""

import re
from pathlib import Path

import pytest

import genstage
from genstage.stage import Stage, StageContext

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "genstage-mapping.md").read_text()

# What GenStage 1.3.2 documents as public.
GENSTAGE = {
    "functions": """
        start/3 start_link/3 stop/3 call/3 cast/2 reply/2 sync_info/3 async_info/2 demand/1 demand/2
        sync_subscribe/3 async_subscribe/2 sync_resubscribe/5 async_resubscribe/4 ask/3 cancel/3
        estimate_buffered_count/2 from_enumerable/2 stream/2 child_spec/1
    """,
    "options of functions": ":link :name :dispatcher :demand :on_cancel :producers",
    "callbacks": """
        init/1 handle_demand/2 handle_events/3 handle_subscribe/4 handle_cancel/3 handle_call/3 handle_cast/2
        handle_info/2 terminate/2 format_discarded/2 code_change/3 format_status/2
    """,
    "callbacks of GenStage.Dispatcher": "init/1 subscribe/3 cancel/2 ask/3 dispatch/3 info/2",
    "ConsumerSupervisor": """
        init/1 init/2 start_link/2 start_link/3
        start_child/2 terminate_child/2 which_children/1 count_children/1
    """,
    "options": """
        :demand :buffer_size :buffer_keep :dispatcher :subscribe_to :to :max_demand :min_demand :cancel
        :partition :selector :name :timeout :debug :spawn_opt :hibernate_after
    """,
    "dispatchers": """
        GenStage.Dispatcher
        GenStage.DemandDispatcher GenStage.BroadcastDispatcher GenStage.PartitionDispatcher
    """,
    "reasons": ":normal :shutdown :killed :noproc",
}
SECTIONS = {
    "functions": "Functions",
    "options of functions": "Functions",
    "callbacks": "Callbacks",
    "callbacks of GenStage.Dispatcher": "Dispatchers",
    "ConsumerSupervisor": "ConsumerSupervisor",
    "options": "Options",
    "dispatchers": "Dispatchers",
    "reasons": "Reasons",
}


def section(title):
    """The text of a section."""
    (_, _, rest) = PAGE.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0]


def code(text):
    """What is set as code."""
    return set(re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("kind", GENSTAGE)
def test_every_public_name_of_genstage_is_there(kind):
    assert set(GENSTAGE[kind].split()) - code(section(SECTIONS[kind])) == set()


def test_every_name_of_ours_exists():
    owners = {**{name: getattr(genstage, name) for name in genstage.__all__}, "Stage": Stage}
    named = [name for name in code(PAGE) if re.fullmatch(r"(self\.stage|[A-Z]\w+)\.[a-z_]+", name)]
    assert len(named) > 20
    missing = []
    for name in named:
        owner, _, attribute = name.rpartition(".")
        kind = StageContext if owner == "self.stage" else owners.get(owner)
        if kind is None or not hasattr(kind, attribute):
            missing.append(name)
    assert missing == []


def test_every_mended_bug_has_a_test_of_its_name():
    names = re.findall(
        r"^\| `([a-z-]+)` \|", section("Where GenStage has a bug, this has none"), re.MULTILINE
    )
    assert len(names) >= 8
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "genstage").rglob("test_*.py"))
    assert [name for name in names if f"def test_{name.replace('-', '_')}(" not in tests] == []
