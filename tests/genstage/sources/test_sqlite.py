import os
import pickle
import random
import shutil
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from importlib import import_module
from itertools import product

import pytest

from genstage import OptionError, SourceError, sources

ALL = 1 << 30

module = import_module("genstage.sources.sqlite")  # the package's attribute of this name is the function

LINES = """
    CREATE TABLE lines (id INTEGER PRIMARY KEY, region TEXT, month TEXT, amount INTEGER);
    INSERT INTO lines VALUES
        (1, 'West', '2024-01', 10), (2, 'East', NULL, 20), (3, NULL, '2024-02', NULL), (4, 'West', NULL, 40),
        (5, 'East', '2024-01', 50), (6, 'West', '2024-01', 60), (7, NULL, NULL, 70);
"""


@contextmanager
def opened(source, after=None):
    with closing(source.open(after)) as cursor:
        yield cursor


def read(source, after=None, count=1000, size_bytes=ALL):
    """All batches."""
    with opened(source, after) as cursor:
        return list(iter(lambda: cursor.fetch(count, size_bytes), []))


def rows_of(source, after=None):
    return [row for batch in read(source, after) for row in batch]


def source_of(database, query="SELECT * FROM lines", key="id", parameters=None):
    return sources.sqlite(database, query, key=[key], parameters=parameters)


def problem_of(source):
    """What opening says; asking for the columns says the same."""
    with pytest.raises(SourceError) as caught:
        source.open()
    with pytest.raises(SourceError) as again:
        source.columns()
    assert str(caught.value) == str(again.value)
    assert caught.value.source == source.database
    assert "\n" not in str(caught.value)
    return caught.value.problem


@pytest.fixture
def seen_statements(monkeypatch):
    """Call a function with each statement before SQLite runs it."""
    connect = sqlite3.connect

    def watch(see):
        def connecting(*args, **options):
            connection = connect(*args, **options)
            connection.set_trace_callback(see)
            return connection

        monkeypatch.setattr(sqlite3, "connect", connecting)

    return watch


# -- the recipe -----------------------------------------------------------------------------------------


def test_a_source_is_a_recipe(tmp_path):
    source = sources.sqlite(
        tmp_path / "missing.sqlite", " SELECT *\n  FROM t ; ", key=["a", "b desc"], parameters={"x": 1}
    )
    assert source.key == ("a", "b")
    assert repr(source) == f"<SqliteSource '{tmp_path}/missing.sqlite' 'SELECT * FROM t' key=a, b desc>"
    assert pickle.loads(pickle.dumps(source)) == source  # noqa: S301 - our own
    assert hash(source) == hash(pickle.loads(pickle.dumps(source)))  # noqa: S301
    with pytest.raises(AttributeError):
        source.query = "SELECT 1"
    assert len(repr(sources.sqlite("x", "SELECT 1" + ", 1" * 1000, key=["a"]))) < 400


def test_parameters_are_copied():
    named, placed = {"a": 1}, [1]
    first = sources.sqlite("x", "SELECT :a", key=["a"], parameters=named)
    second = sources.sqlite("x", "SELECT ?", key=["a"], parameters=placed)
    named["a"] = placed[0] = 2
    assert first.parameters == {"a": 1}
    assert second.parameters == (1,)


def test_a_wrong_key_is_refused_at_once():
    with pytest.raises(OptionError):
        sources.sqlite("x", "SELECT 1 AS a", key="a")


# -- reading --------------------------------------------------------------------------------------------


def test_rows_come_in_the_order_of_the_key(make_database):
    source = sources.sqlite(make_database(LINES), "SELECT * FROM lines", key=["region desc", "month", "id"])
    assert source.columns() == ("id", "region", "month", "amount")
    with opened(source) as cursor:
        assert cursor.names == ("id", "region", "month", "amount")
    assert rows_of(source) == [
        (4, "West", None, 40),
        (1, "West", "2024-01", 10),
        (6, "West", "2024-01", 60),
        (2, "East", None, 20),
        (5, "East", "2024-01", 50),
        (7, None, None, 70),
        (3, None, "2024-02", None),
    ]
    assert source.count() == 7


@pytest.mark.parametrize(
    ("query", "parameters", "ids"),
    [
        ("SELECT id FROM lines WHERE amount > :least -- rather many", {"least": 45}, [5, 6, 7]),
        ("SELECT id FROM lines WHERE amount > ? AND amount < ?;", [45, 65], [5, 6]),
        ("WITH some AS (SELECT id FROM lines) SELECT * FROM some WHERE id > ?", (5,), [6, 7]),
        ("VALUES (3), (1), (2)", None, [1, 2, 3]),
        ("SELECT id FROM lines ORDER BY id DESC", None, [1, 2, 3, 4, 5, 6, 7]),
        ("SELECT id FROM lines ORDER BY id DESC LIMIT 3", None, [5, 6, 7]),
        (
            "SELECT id FROM lines WHERE id > 6 UNION ALL SELECT id FROM lines WHERE id < :a",
            {"a": 3},
            [1, 2, 7],
        ),
        ("SELECT max(id) AS id, region FROM lines GROUP BY region", None, [5, 6, 7]),
        ("SELECT DISTINCT length(month) AS id FROM lines WHERE month IS NOT NULL", None, [7]),
        ("SELECT id FROM lines WHERE 0", None, []),
    ],
)
def test_any_query_can_be_read_and_read_on(make_database, query, parameters, ids):
    key = "column1" if query.startswith("VALUES") else "id"
    source = sources.sqlite(make_database(LINES), query, key=[key], parameters=parameters)
    assert [row[0] for row in rows_of(source)] == ids
    assert source.count() == len(ids)
    for place, number in enumerate(ids):
        assert [row[0] for row in rows_of(source, [number])] == ids[place + 1 :]


def test_odd_names_are_only_names(make_database):
    script = '''
        CREATE TABLE "t t" ("a ""b""" INTEGER, "select" TEXT, "x:1" INTEGER);
        INSERT INTO "t t" VALUES (2, 'p', 0), (1, 'q', 0);
    '''
    path = make_database(script, "100% #1?.sqlite")
    source = sources.sqlite(path, 'SELECT * FROM "t t"', key=["select desc", 'a "b"'])
    assert source.columns() == ('a "b"', "select", "x:1")
    assert rows_of(source) == [(1, "q", 0), (2, "p", 0)]
    assert rows_of(source, ["q", 1]) == [(2, "p", 0)]


def test_a_batch_ends_by_count(make_database):
    source = source_of(make_database(LINES), "SELECT id FROM lines")
    assert [len(batch) for batch in read(source, count=3)] == [3, 3, 1]
    with opened(source) as cursor:
        assert [cursor.fetch(count, ALL) for count in (1, 4, 9, 9)] == [
            [(1,)],
            [(2,), (3,), (4,), (5,)],
            [(6,), (7,)],
            [],
        ]


MIXED = """
    CREATE TABLE texts (id INTEGER PRIMARY KEY, content TEXT);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
    INSERT INTO texts
        SELECT i, CASE WHEN i BETWEEN 100 AND 120 THEN hex(zeroblob(50000)) ELSE 'short' END FROM n;
"""


def test_a_batch_ends_with_the_row_that_reaches_the_size(make_database):
    source = sources.sqlite(make_database(MIXED), "SELECT * FROM texts", key=["id"])
    batches = read(source, size_bytes=250_000)
    assert [row[0] for batch in batches for row in batch] == list(range(1, 301))
    # 99 short rows and three long ones, then three long ones each, then all that is left.
    assert [len(batch) for batch in batches] == [102, 3, 3, 3, 3, 3, 3, 180]
    for size_bytes in (1, 99_999, 100_001, 100_040):
        sizes = [len(batch) for batch in read(source, size_bytes=size_bytes)]
        assert sum(sizes) == 300
        if size_bytes == 1:
            assert sizes == [1] * 300


def test_few_rows_are_fetched_ahead_of_the_size(make_database):
    source = sources.sqlite(make_database(MIXED), "SELECT * FROM texts", key=["id"])
    with opened(source) as cursor:
        assert len(cursor.fetch(1000, 100_000)) == 100
        assert len(cursor._ahead) < module._PIECE
        cursor.fetch(1000, 100_000)
        cursor._ahead.clear()
        for _ in range(3):  # now that rows are known to be large, one at a time
            assert len(cursor.fetch(1000, 100_000)) == 1
            assert not cursor._ahead


def test_batches_of_any_limits_join_to_the_whole(make_database):
    chance = random.Random(3)
    path = make_database("CREATE TABLE texts (id INTEGER PRIMARY KEY, content TEXT)")
    texts = ["x" * int(10 ** chance.uniform(0, 4)) for _ in range(300)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO texts VALUES (?, ?)", enumerate(texts))
    for _ in range(20):
        found = []
        with opened(source_of(path, "SELECT * FROM texts")) as cursor:
            while batch := cursor.fetch(chance.randint(1, 40), int(10 ** chance.uniform(0, 5))):
                found += batch
        assert found == list(enumerate(texts))


def test_each_cursor_is_on_its_own_and_in_its_own_thread(make_database):
    source = source_of(make_database(LINES), "SELECT id FROM lines")
    found = []
    thread = threading.Thread(target=lambda: found.extend(rows_of(source)))
    with opened(source) as first, opened(source) as second:
        assert first.fetch(2, ALL) == second.fetch(2, ALL) == [(1,), (2,)]
        thread.start()
        thread.join()
        assert len(found) == 7
        assert first.fetch(1, ALL) == [(3,)]


def test_close_is_allowed_more_than_once_and_ends_reading(make_database):
    cursor = source_of(make_database(LINES), "SELECT id FROM lines").open()
    cursor.close()
    cursor.close()
    with pytest.raises(SourceError):
        cursor.fetch(1, ALL)


def test_a_cursor_reads_one_snapshot(make_database):
    path = make_database("PRAGMA journal_mode = WAL;" + LINES)
    source = sources.sqlite(path, "SELECT id, amount FROM lines", key=["id"])
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("SELECT 1 FROM lines").fetchall()
        with opened(source) as unread, opened(source) as begun:
            assert begun.fetch(2, ALL) == [(1, 10), (2, 20)]
            writer.executescript("DELETE FROM lines WHERE id = 4; INSERT INTO lines (id) VALUES (8)")
            writer.executescript("UPDATE lines SET amount = -1")
            assert begun.fetch(9, ALL) == [(3, None), (4, 40), (5, 50), (6, 60), (7, 70)]
            assert [row[0] for row in unread.fetch(9, ALL)] == [1, 2, 3, 4, 5, 6, 7]
        assert [row[0] for row in rows_of(source, [2])] == [3, 5, 6, 7, 8]


def test_the_checks_see_the_same_snapshot(make_database, seen_statements):
    path = make_database("PRAGMA journal_mode = WAL;" + LINES)
    with closing(sqlite3.connect(path)) as writer:

        def write(statement):
            if "ORDER BY" in statement:  # the checks are done
                writer.executescript("DELETE FROM lines")

        seen_statements(write)
        assert [row[0] for row in rows_of(source_of(path))] == [1, 2, 3, 4, 5, 6, 7]
        assert rows_of(source_of(path)) == []


def test_a_closed_cursor_lets_others_write(make_database):
    path = make_database(LINES)
    source = source_of(path, "SELECT id FROM lines")
    with closing(sqlite3.connect(path, timeout=0)) as writer:
        with opened(source) as cursor:
            cursor.fetch(1, ALL)
            with pytest.raises(sqlite3.OperationalError):
                writer.executescript("DELETE FROM lines WHERE id = 1")
            writer.rollback()
        writer.executescript("DELETE FROM lines WHERE id = 1")


def test_reading_leaves_the_database_as_it_is(make_database):
    path = make_database(LINES)
    before = path.read_bytes()
    source = source_of(path)
    rows_of(source)
    source.count()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# -- starting behind a position -------------------------------------------------------------------------

VALUES = {
    "text": [None, "", "a", "B", "b", "ä", "Ä", "'", "a\nb"],
    "number": [None, 0, -1, 2.5, 2, 1e300, 2**53 + 1],
    "mixed": [None, 0, 1.5, "1", "x", b"x", b""],
    "nocase": [None, "a", "B", "b", "ä", "Ä", "z"],
}


def make_mixed(make_database, seed):
    choices = random.Random(seed)
    path = make_database(
        "CREATE TABLE mixed"
        " (id INTEGER PRIMARY KEY, text TEXT, number NUMERIC, mixed, nocase TEXT COLLATE NOCASE);"
        "CREATE INDEX in_order ON mixed (text, number DESC, id)"
    )
    rows = [(number, *map(choices.choice, VALUES.values())) for number in range(40)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO mixed VALUES (?, ?, ?, ?, ?)", rows)
    return path


UNION = "SELECT * FROM mixed WHERE id >= 20 UNION ALL SELECT * FROM mixed WHERE id < 20"


@pytest.mark.parametrize("names", ["text number", "nocase mixed", "mixed text", "number nocase"])
@pytest.mark.parametrize("directions", list(product(["", " desc"], repeat=3)))
def test_reading_on_after_each_row_loses_and_doubles_nothing(make_database, names, directions):
    path = make_mixed(make_database, seed=len(names))
    names = [*names.split(), "id"]
    key = [name + direction for name, direction in zip(names, directions, strict=True)]
    with closing(sqlite3.connect(path)) as connection:
        whole = connection.execute(f"SELECT * FROM mixed ORDER BY {', '.join(key)}").fetchall()
    places = [("id", *VALUES).index(name) for name in names]
    for query in ("SELECT * FROM mixed", UNION):
        source = sources.sqlite(path, query, key=key)
        found, after = [], None
        while len(found) <= len(whole):  # one record too many would show, too
            with opened(source, after) as cursor:
                batch = cursor.fetch(1, ALL)
            if not batch:
                break
            found += batch
            after = [found[-1][place] for place in places]
        assert found == whole
        after = [whole[25][place] for place in places]
        assert rows_of(source, after) == whole[26:]


def test_a_position_needs_not_be_there_any_more(make_database):
    source = sources.sqlite(make_database(LINES), "SELECT id FROM lines WHERE id <> 3", key=["id"])
    assert rows_of(source, [3]) == [(4,), (5,), (6,), (7,)]


def test_a_position_of_another_length_is_refused(make_database):
    source = sources.sqlite(make_database(LINES), "SELECT * FROM lines", key=["region", "id"])
    with pytest.raises(OptionError):
        source.open(["West"])


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("k TEXT", "a", "a"),
        ("k INTEGER", None, None),
        ("k", 1, 1.0),
        ("k TEXT COLLATE NOCASE", "a", "A"),
        ("k TEXT COLLATE RTRIM", "a", "a  "),
    ],
)
@pytest.mark.parametrize("direction", ["", " desc"])
def test_a_key_that_occurs_twice_is_refused_where_it_is_seen(make_database, column, first, second, direction):
    path = make_database(f"CREATE TABLE t ({column}, n INTEGER)")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO t VALUES (?, 1)", [(first,), ("b",), ("c",), (second,)])
    for key in (["k" + direction], ["n", "k" + direction], ["k" + direction, "n"]):
        source = sources.sqlite(path, "SELECT * FROM t", key=key)
        for count in (1, 2, 3, 10):
            with pytest.raises(SourceError) as caught:
                read(source, count=count)
            assert "two have" in caught.value.problem
            assert "k " in caught.value.problem
        position = [first if name.startswith("k") else 1 for name in key]
        with pytest.raises(SourceError, match="two have"):
            source.open(position)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("k TEXT", ["A", "a", "a ", "b"]),
        ("k TEXT COLLATE NOCASE", ["ä", "Ä", "a", "a "]),
        ("k TEXT COLLATE RTRIM", ["a", "A", " a"]),
        ("k", ["1", 1, b"1", 1.5, None]),
    ],
)
def test_a_key_that_only_looks_alike_is_taken(make_database, column, values):
    path = make_database(f"CREATE TABLE t ({column})")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    assert len(rows_of(sources.sqlite(path, "SELECT * FROM t", key=["k"]))) == len(values)


# -- what SQLite does with it ---------------------------------------------------------------------------


@pytest.mark.parametrize("after", [None, ["West", "2024-01", 6], [None, "2024-02", 3], ["East", None, 2]])
def test_an_index_in_the_order_of_the_key_saves_the_sort(make_database, seen_statements, after):
    path = make_database(LINES + "CREATE INDEX in_order ON lines (region, month, id);")
    source = sources.sqlite(path, "SELECT id, month, region FROM lines", key=["region", "month", "id"])
    statements = []
    seen_statements(statements.append)
    source.open(after).close()
    (statement,) = [text for text in statements if "ORDER BY" in text]
    with closing(sqlite3.connect(path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    (step,) = plan
    assert "USING COVERING INDEX in_order" in step
    assert step.startswith("SCAN" if after is None or after[0] is None else "SEARCH")
    if after and after[0]:
        assert step.endswith("(region>?)")


SLOW = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000) SELECT {} "


@pytest.mark.parametrize(
    "query",
    [
        SLOW.format("i AS a FROM n"),
        SLOW.format("count(*) AS a FROM n"),
        SLOW.format("DISTINCT i % 7 AS a FROM n ORDER BY a"),
        SLOW.format("one.i AS a FROM n AS one JOIN n AS two ON two.i = one.i"),
    ],
)
@pytest.mark.timeout(20)
def test_columns_are_found_without_running_the_query(make_database, query):
    assert sources.sqlite(make_database(""), query, key=["a"]).columns() == ("a",)


@pytest.mark.timeout(20)
def test_a_count_that_takes_long_is_given_up(make_database):
    began = time.monotonic()
    assert sources.sqlite(make_database(""), SLOW.format("i AS a FROM n"), key=["a"]).count() is None
    assert time.monotonic() - began < 10


# -- bad input ------------------------------------------------------------------------------------------


def test_a_missing_file_is_not_made(tmp_path):
    path = tmp_path / "missing.sqlite"
    assert problem_of(source_of(path)) == "cannot be read: No such file or directory"
    assert not path.exists()
    with pytest.raises(SourceError):
        source_of(path).count()


def test_a_folder_is_no_database(tmp_path):
    expected = "is not a file: give the path of an SQLite database"
    assert problem_of(source_of(tmp_path)) == expected
    assert problem_of(source_of("")) == expected
    os.mkfifo(tmp_path / "pipe")
    assert problem_of(source_of(tmp_path / "pipe")) == expected


def test_a_path_through_a_file_or_with_a_null_is_none(make_database):
    path = make_database(LINES)
    assert problem_of(source_of(path / "x")) == "cannot be read: Not a directory"
    assert "null" in problem_of(source_of("a\0b"))


def test_an_unreadable_file(open_folder, request):
    path = open_folder / "secret.sqlite"
    path.touch(0o000)
    request.getfixturevalue("as_nobody")
    assert problem_of(source_of(path)) == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    "content", [b"Tax report 2024\n" * 100, bytes(4096), b"SQLite format 3\0" + b"x" * 5000]
)
def test_another_file_is_no_database(tmp_path, content):
    path = tmp_path / "other.sqlite"
    path.write_bytes(content)
    assert problem_of(source_of(path)) == "is not an SQLite database"


def test_a_damaged_database(make_database):
    path = make_database(LINES + "INSERT INTO lines SELECT NULL, hex(zeroblob(3000)), NULL, 1 FROM lines;")
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(SourceError, match="cannot be read: database disk image is malformed"):
        rows_of(source_of(path))


def test_text_that_is_none(make_database):
    path = make_database(LINES + r"UPDATE lines SET region = CAST(x'ff' AS TEXT) WHERE id = 5")
    with pytest.raises(SourceError, match="Could not decode to UTF-8 column 'region'"):
        rows_of(source_of(path))


def test_a_locked_database(make_database, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_S", 0.0)
    path = make_database(LINES)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert problem_of(source_of(path)).startswith("is locked: another")


def test_a_database_left_in_the_middle_of_a_change(make_database, tmp_path):
    path, copy = make_database(LINES), tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        more = "INSERT INTO lines SELECT NULL, hex(zeroblob(9000)), NULL, 1 FROM lines;"
        writer.executescript("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN;" + more * 5)
        shutil.copy(path, copy)
        shutil.copy(f"{path}-journal", f"{copy}-journal")
    source = sources.sqlite(copy, "SELECT id FROM lines", key=["id"])
    assert problem_of(source).startswith("was left in the middle of a change: open it once for writing")
    with closing(sqlite3.connect(copy)) as repairing:
        repairing.execute("SELECT count(*) FROM lines").fetchall()
    assert len(rows_of(source)) == 7


def test_a_database_in_wal_mode_in_a_folder_without_write_access(open_folder, request):
    path = open_folder / "data.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL;" + LINES)
    open_folder.chmod(0o555)
    request.getfixturevalue("as_nobody")
    problem = problem_of(source_of(path, "SELECT id FROM lines"))
    assert problem == "cannot be opened: in WAL mode its folder must be writable"


ONE_SELECT = "the query must be one SELECT and nothing else"
TWO_COLUMNS = "the query has two columns {!r}: give one another name with AS"
NO_KEY = "key column 'id': the query has no such column; it has {}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * FROM nowhere", "the query fails: no such table: nowhere; there are lines, some"),
        ("SELECT wrong AS id FROM lines", "the query fails: no such column: wrong"),
        ("SELECT id FROM lines WHERE", "the query fails: incomplete input"),
        ("", "the query fails: incomplete input"),
        ("SELEC id FROM lines", 'the query fails: near "SELEC": syntax error'),
        ("SELECT 'x AS id", 'the query fails: unrecognized token: "\'x AS id"'),
        ("SELECT nope(id) AS id FROM lines", "the query fails: no such function: nope"),
        ("SELECT id FROM lines; SELECT 1", ONE_SELECT),
        ("SELECT id FROM lines; DELETE FROM lines", ONE_SELECT),
        ("SELECT id FROM lines; -- all", f'{ONE_SELECT} (near ";": syntax error)'),
        ("DELETE FROM lines", f'{ONE_SELECT} (near "DELETE": syntax error)'),
        ("DROP TABLE lines", f'{ONE_SELECT} (near "DROP": syntax error)'),
        ("PRAGMA user_version", f"{ONE_SELECT} (no such table: PRAGMA)"),
        ("SELECT id FROM lines) JOIN (SELECT 2", 'the query fails: near ")": syntax error'),
        ("SELECT id, amount AS ID FROM lines", TWO_COLUMNS.format("ID")),
        ("SELECT id, 1 AS id FROM lines", TWO_COLUMNS.format("id")),
        ("SELECT region, month FROM lines", NO_KEY.format("'region', 'month'")),
        ("SELECT id AS ID FROM lines", NO_KEY.format("'ID'")),
    ],
)
def test_a_wrong_query(make_database, query, expected):
    path = make_database(LINES + "CREATE VIEW some AS SELECT * FROM lines;")
    assert problem_of(source_of(path, query)) == expected
    assert rows_of(sources.sqlite(path, "SELECT count(*) AS n FROM lines", key=["n"])) == [(7,)]


def test_a_query_that_fails_while_it_runs(make_database):
    query = "SELECT id, CASE id WHEN 5 THEN abs(-9223372036854775807 - 1) END AS n FROM lines"
    source = source_of(make_database(LINES), query)
    with opened(source) as cursor:
        assert len(cursor.fetch(3, ALL)) == 3  # the module reads one row ahead
        with pytest.raises(SourceError, match="the query fails: integer overflow"):
            cursor.fetch(4, ALL)


@pytest.mark.parametrize(
    ("query", "parameters", "expected"),
    [
        ("SELECT :id AS id", {"ib": 1}, "You did not supply a value for binding parameter :id."),
        ("SELECT 1 AS id", {"id": 1}, "it has no :id, nor any other"),
        (
            "SELECT ':no' AS id, :b AS b, $a AS a, @b -- :no",
            {"a": 1, "b": 2, "no": 3},
            "it has no :no, only :b, :a",
        ),
        ("SELECT ? AS id", {"id": 1}, "they have names, but it has a question mark: write :NAME"),
        ("SELECT ? AS id", {}, "they have names, but it has a question mark: write :NAME instead"),
        ("SELECT 1 AS id", [1], "Incorrect number of bindings"),
        ("SELECT ? AS id", [], "Incorrect number of bindings"),
        ("SELECT ? AS id", [1, 2], "Incorrect number of bindings"),
        ("SELECT ? AS id", [[1]], "Error binding parameter 1: type 'list'"),
    ],
)
def test_wrong_parameters(make_database, query, parameters, expected):
    problem = problem_of(source_of(make_database(LINES), query, "id", parameters))
    assert problem.startswith(f"the parameters do not fit the query: {expected}")


@pytest.mark.parametrize(
    ("value", "expected"), [(2**70, "Python int too large"), ("\ud800", "surrogates not allowed")]
)
def test_parameters_that_no_database_takes(make_database, value, expected):
    assert expected in problem_of(source_of(make_database(LINES), "SELECT ? AS id", "id", [value]))
