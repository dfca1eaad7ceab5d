"""Pages in a real browser, driven over a pipe by its debugging protocol."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections import Counter

import pytest

from renderers.model import Column, Group, Report, sum_of

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# Chromium reads commands from file 3 and writes answers to file 4, each ended by a NUL.
START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
DEADLINE_S = 60

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH"),
]


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, folder):
        self._folder = folder
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        ours = [fcntl.fcntl(file, fcntl.F_DUPFD, 10) for file in (commands, answers)]
        os.close(commands)
        os.close(answers)
        start = [sys.executable, "-c", START, *map(str, ours), CHROMIUM, *OPTIONS]
        profile = f"--user-data-dir={folder / 'profile'}"
        self._process = subprocess.Popen(
            [*start, profile, "--remote-debugging-pipe", "about:blank"],
            pass_fds=ours,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for file in ours:
            os.close(file)
        self._received = b""
        self._events = []
        self._number = 0
        self._session = None
        targets = self.call("Target.getTargets")["targetInfos"]
        (page,) = (target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.resize(1280, 800)

    def call(self, method, **parameters):
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        while (answer := self._next()).get("id") != self._number:
            self._events.append(answer["method"])
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        until = time.monotonic() + DEADLINE_S
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], max(until - time.monotonic(), 0))
            assert ready, "Chromium does not answer"
            data = os.read(self._answers, 1 << 20)
            assert data, "Chromium is gone"
            self._received += data
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def open(self, page):
        """Load a page, until it has been read to its end."""
        path = self._folder / "page.html"
        path.write_bytes(page)
        self._events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._events.append(self._next().get("method"))

    def resize(self, width, height):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script):
        """The value of a JavaScript expression, two frames later: then it has been seen."""
        frames = "await new Promise(seen => requestAnimationFrame(() => requestAnimationFrame(seen)))"
        found = self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{ {frames}; const found = {script}; {frames}; return found }})()",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def box(self, selector):
        """Left, top, right and bottom of an element, in the window."""
        rectangle = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        return self.run(f"(b => [b.left, b.top, b.right, b.bottom])({rectangle})")

    def lines(self):
        """Per row the left and right edges of its cells."""
        edges = "(b => [Math.round(b.left), Math.round(b.right)])(cell.getBoundingClientRect())"
        cells = f"[...row.children].map(cell => {edges})"
        return self.run(f"[...document.querySelectorAll('tbody tr')].map(row => {cells})")

    def close(self):
        self._session = None
        try:
            self.call("Browser.close")
            self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._commands)
            os.close(self._answers)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def _wide(request):
    request.getfixturevalue("browser").resize(1280, 800)


LAST = "tbody:last-child tr:last-child"
ROWS = "[...document.querySelectorAll('tbody tr')]"
TEXTS = "row => [row.className || null, ...[...row.children].map(cell => cell.textContent)]"


def test_fifty_thousand_rows_open_and_scroll(make_html, report, invoices, browser):
    made = make_html(report, invoices(50_000))
    expected = [list(row) for row in made.expected(span=2)]
    browser.open(made.data)
    laid_out = f"{ROWS}.filter(row => row.checkVisibility({{contentVisibilityAuto: true}})).length"
    assert 0 < browser.run(laid_out) <= 600  # what is near the window, and the last body
    assert browser.run(f"{ROWS}.map({TEXTS})") == expected
    labels_bottom = browser.box("thead")[3]
    assert browser.box("thead")[1] > browser.box("h1")[3] - 1 > 30
    assert browser.box("tbody tr")[1] >= labels_bottom

    browser.run(f"document.querySelector('{LAST}').scrollIntoView()")
    assert browser.run("scrollY") > 50_000 * 25
    left, top, _, bottom = browser.box(LAST)
    assert browser.box("thead")[1] == 0  # the column labels stay
    assert browser.box("thead")[3] < top < bottom <= 800
    seen = f"document.elementFromPoint({left + 20}, {top + 10}).closest('tr')"
    assert browser.run(f"({TEXTS})({seen})") == expected[-1]
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")

    browser.run("scrollTo(0, document.documentElement.scrollHeight / 2)")
    seen = browser.run(f"({TEXTS})(document.elementFromPoint(640, 400).closest('tr'))")
    assert 20_000 < expected.index(seen) < 40_000
    assert browser.run(laid_out) <= 1000


def test_columns_stand_below_each_other(make_html, report, invoices, browser):
    browser.open(make_html(report, invoices(200)).data)
    lines = browser.lines()
    details = [line for line in lines if len(line) == 4]
    assert len(details) == 200
    assert all(line == details[0] for line in details)
    edges = [edge for cell in details[0] for edge in cell]
    assert edges == sorted(edges)
    assert edges[-1] - edges[0] > 1000
    footer, header = [edges[:1] + edges[3:4], *details[0][2:]], [[edges[0], edges[-1]]]
    others = [line for line in lines if len(line) < 4]
    assert Counter(map(str, others)) == {str(header): 5, str(footer): 6}


@pytest.mark.parametrize("width", [360, 700])
def test_on_a_narrow_screen_only_the_table_scrolls_aside(make_html, invoices, browser, width):
    names = ("region", "month", "invoice", "customer", "quantity", "amount")
    columns = [*(Column(name) for name in names[:-1]), Column("amount", format="currency:EUR")]
    report = Report("narrow", columns=columns, groups=[Group("region")], totals=[sum_of("amount")])
    browser.resize(width, 640)
    browser.open(make_html(report, invoices(300)).data)
    page = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert browser.run(page) == [width, 640]
    assert browser.box("h1")[0] >= 0
    browser.run("document.querySelector('main').scrollTo(100, 0)")
    assert browser.box("td")[0] == -100
    for part in ("h1", "tr.h0 bdi", "tr.t bdi"):  # title and labels stay in sight
        left, _, right, _ = browser.box(part)
        assert 0 <= left < right <= width
    browser.run(f"document.querySelector('{LAST}').scrollIntoView()")
    assert browser.box("thead")[1] == 0
    assert browser.box(LAST)[3] <= 640


def test_a_megabyte_in_a_cell_stays_in_its_column(make_html, browser):
    report = Report("texts", columns=[Column(name) for name in "abc"])
    long = "x" * 1_000_000
    records = [("1", "2", "3"), ("start", long, "end"), (long, "word " * 200_000, ""), ("4", "5", "6")]
    browser.open(make_html(report, records, names=tuple("abc")).data)
    lines = browser.lines()
    assert lines == [lines[0]] * 4
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    heights = browser.run(f"{ROWS}.map(row => row.offsetHeight)")
    assert heights[0] == heights[3] < 40
    assert min(heights[1:3]) > 100_000


def test_a_line_feed_is_seen_and_text_of_the_other_direction_is_not_mixed_up(make_html, browser):
    report = Report("texts", columns=[Column("a"), Column("b")])
    records = [("one", "x"), ("one\ntwo", "x"), ("שלום!", "x"), ("Hello!", "x")]
    browser.open(make_html(report, records, names=("a", "b")).data)
    heights = browser.run(f"{ROWS}.map(row => row.offsetHeight)")
    assert heights[1] > heights[0] + 15
    edge = """row => {
        const text = row.querySelector('td bdi, td').lastChild, range = document.createRange();
        range.setStart(text, text.length - 1); range.setEnd(text, text.length);
        const mark = range.getBoundingClientRect(); range.setStart(text, 0);
        return mark.left <= range.getBoundingClientRect().left + 1;
    }"""
    assert browser.run(f"{ROWS}.slice(2).map({edge})") == [True, False]  # where the exclamation mark stands


def test_a_row_of_nothing_is_as_high_as_any_other(make_html, browser):
    columns = [Column("a"), Column("day", format="date"), Column("sum", format="currency:EUR")]
    records = [("x", "2024-01-01", 1), (None, None, None), ("", None, None), (None, None, 2)]
    made = make_html(Report("empty", columns=columns), records, names=("a", "day", "sum"))
    browser.open(made.data)
    heights = f"{ROWS}.map(row => row.offsetHeight)"
    assert browser.run(heights) == [29] * 4
    try:
        browser.call("Emulation.setEmulatedMedia", media="print")
        printed = browser.run(heights)
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
    assert printed == [printed[0]] * 4
    assert browser.run("document.querySelector('tbody').innerText.includes('\\u200b')") is False


def test_on_a_page_from_right_to_left_signs_stand_before_figures_and_currencies_after(make_html, browser):
    columns = [
        Column("a"),
        *(Column(name, format="currency:USD") for name in "be"),
        Column("c", format="integer"),
        Column("d", format="percent"),
    ]
    report = Report("figures", columns=columns, locale="ar")
    records = [("{x} <y>", -55_781, 55_781, -12, "-0.5"), ("+49 30 12-3", 1, 1, 1, 1)]
    browser.open(make_html(report, records, names=tuple("abecd")).data)
    # The characters of each cell, from left to right as they are seen.
    seen = """row => [...row.children].map(cell => {
        const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
        const range = document.createRange();
        for (let text; text = walk.nextNode();)
            for (let place = 0; place < text.length; place++) {
                range.setStart(text, place); range.setEnd(text, place + 1);
                const box = range.getBoundingClientRect();
                if (box.width) found.push([box.left, text.data[place]]);
            }
        return found.sort((one, other) => one[0] - other[0]).map(pair => pair[1]).join('');
    })"""
    first, second = browser.run(f"{ROWS}.map({seen})")
    assert first == ["{x} <y>", "US$\xa0-55,781.00", "US$\xa055,781.00", "-12", "-50%"]
    assert second == ["+49 30 12-3", "US$\xa01.00", "US$\xa01.00", "1", "100%"]


def test_a_screen_reader_finds_a_table(make_html, report, invoices, browser):
    made = make_html(report, invoices(3))
    browser.open(made.data)
    browser.run("document.body.offsetHeight")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = Counter(node["role"]["value"] for node in nodes if not node["ignored"])
    assert {
        role: roles[role] for role in ("main", "heading", "table", "columnheader", "row", "rowheader", "cell")
    } == {
        "main": 1,
        "heading": 1,
        "table": 1,
        "columnheader": 4,
        "row": 1 + 2 + 3 + 3,
        "rowheader": 2 + 3,
        "cell": 4 * 3 + 2 * 3,
    }


def test_colours_follow_the_reader_and_print_is_a_table_on_white(make_html, report, invoices, browser):
    browser.open(make_html(report, invoices(3)).data)
    background = "getComputedStyle(document.body).backgroundColor"
    display = "tag => getComputedStyle(document.querySelector(tag)).display"
    shown = f"['table', 'thead', 'tbody', 'tr', 'td'].map({display})"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    assert browser.run(background) == "rgb(255, 255, 255)"
    try:
        browser.call("Emulation.setEmulatedMedia", media="screen", features=dark)
        assert browser.run(background) == "rgb(21, 24, 28)"
        assert browser.run(shown) == ["block", "block", "block", "grid", "block"]
        browser.call("Emulation.setEmulatedMedia", media="print", features=dark)
        assert browser.run(background) == "rgb(255, 255, 255)"
        assert browser.run(shown) == [
            "table",
            "table-header-group",
            "table-row-group",
            "table-row",
            "table-cell",
        ]
    finally:
        browser.call("Emulation.setEmulatedMedia", media="", features=[])


def test_a_report_without_labels_in_its_footers_has_its_figures_in_line(make_html, browser):
    report = Report(
        "first",
        columns=[Column("n", format="integer"), Column("a")],
        groups=[Group("g")],
        totals=[sum_of("n")],
    )
    browser.open(make_html(report, [("West", 1000, "x")], names=("g", "n", "a")).data)
    header, *others = browser.lines()
    assert others == [others[0]] * 3
    assert header == [[others[0][0][0], others[0][1][1]]]
