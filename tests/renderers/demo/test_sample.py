import os
import resource
import shutil
import sqlite3
import tempfile
import tracemalloc
from contextlib import closing
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from genstage import OptionError, OutputError
from renderers.demo import create_sample
from renderers.demo import sample as module


def ask(path, query):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def digest(path):
    """Of all rows of all tables."""
    found = sha256()
    for (table,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        for row in ask(path, f"SELECT * FROM {table} ORDER BY 1"):
            found.update(repr((table, row)).encode())
    return found.hexdigest()


# -- the same seed, the same rows -----------------------------------------------------------------------


def test_the_same_seed_makes_the_same_bytes(sample, tmp_path):
    create_sample(tmp_path / "again.sqlite", rows=5_000, seed=42)
    assert (tmp_path / "again.sqlite").read_bytes() == sample.read_bytes()
    create_sample(tmp_path / "other.sqlite", rows=5_000, seed=43)
    assert digest(tmp_path / "other.sqlite") != digest(sample)


def test_the_rows_are_the_same_everywhere(sample):
    # Whatever the version of Python and the machine. A new sample has a new digest: replace it.
    assert digest(sample) == "8d6c33ef0ff0693932cb51282829b654616d3e49c565b5ddd434595ef74d8859"


@pytest.mark.parametrize("rows", [0, 1, 2, 999, 5_000, 10_001])
def test_any_number_of_lines(tmp_path, rows):
    path, progress = tmp_path / "sample.sqlite", []
    create_sample(path, rows=rows, progress=progress.append)
    assert ask(path, "SELECT count(*), coalesce(max(id), 0) FROM invoice_lines") == [(rows, rows)]
    assert ask(path, "SELECT count(*) FROM report_lines") == [(rows,)]
    empty = "SELECT count(*) FROM invoices WHERE id NOT IN (SELECT invoice_id FROM invoice_lines)"
    assert ask(path, empty) == [(0,)]
    assert progress[-1] == rows
    assert progress == sorted(progress)
    assert len(progress) == rows // 5_000 + 1
    assert list(tmp_path.iterdir()) == [path]


# -- the rows make sense --------------------------------------------------------------------------------


def test_the_database_is_whole(sample):
    assert ask(sample, "PRAGMA integrity_check") == [("ok",)]
    assert ask(sample, "PRAGMA foreign_key_check") == []


def test_every_kind_of_row_occurs(sample):
    assert ask(sample, "SELECT status FROM invoices GROUP BY status") == [
        ("cancelled",),
        ("draft",),
        ("overdue",),
        ("paid",),
        ("sent",),
    ]
    assert ask(sample, "SELECT region, count(DISTINCT month) FROM invoice_lines GROUP BY region") == [
        ("Midwest", 36),
        ("Northeast", 36),
        ("South", 36),
        ("West", 36),
    ]
    ((returned, discounted, silent),) = ask(
        sample,
        "SELECT sum(quantity < 0), sum(discount_percent > 0), (SELECT sum(phone IS NULL) FROM customers)"
        " FROM invoice_lines",
    )
    assert min(returned, discounted, silent) > 0
    for table in ("customer_types", "states", "categories", "products", "customers"):
        assert ask(sample, f"SELECT count(*) FROM {table}")[0][0] >= 5


def rounded(value):
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


def test_prices_are_those_of_the_products(sample):
    wrong = ask(
        sample,
        "SELECT count(*) FROM invoice_lines AS line JOIN products ON products.id = line.product_id"
        " WHERE price_cents <> unit_price_cents",
    )
    assert wrong == [(0,)]


def test_each_line_is_its_price_times_quantity_less_the_discount(sample):
    lines = ask(
        sample, "SELECT quantity, unit_price_cents, discount_percent, amount_cents FROM invoice_lines"
    )
    for quantity, price, discount, amount in lines:
        assert amount == rounded(Decimal(quantity * price) * (100 - discount) / 100)


def test_each_invoice_is_the_sum_of_its_lines_and_its_tax(sample):
    invoices = ask(
        sample,
        "SELECT net_cents, tax_cents, total_cents, tax_basis_points,"
        " sum(amount_cents), count(*), max(position)"
        " FROM invoices JOIN invoice_lines ON invoice_id = invoices.id GROUP BY invoices.id",
    )
    for net, tax, total, basis_points, amounts, lines, last in invoices:
        assert net == amounts
        assert tax == rounded(Decimal(net) * basis_points / 10_000)
        assert total == net + tax
        assert lines == last


def test_days_status_and_number_of_an_invoice_agree(sample):
    for number, status, issued, net_days, due, paid in ask(
        sample, "SELECT number, status, issued_on, net_days, due_on, paid_on FROM invoices"
    ):
        assert date.fromisoformat(issued) + timedelta(days=net_days) == date.fromisoformat(due)
        assert (paid is not None) == (status == "paid")
        assert (number is None) == (status == "draft")
        assert number is None or number.startswith(issued[:4])
        assert paid is None or issued <= paid <= "2024-12-31"
        assert due < "2024-12-31" if status == "overdue" else "2022-01-03" <= issued <= "2024-12-31"


def test_region_and_month_of_a_line_are_those_of_its_invoice(sample):
    wrong = ask(
        sample,
        "SELECT count(*) FROM invoice_lines AS line JOIN invoices AS invoice ON invoice.id = line.invoice_id"
        " JOIN addresses AS address ON address.id = invoice.address_id"
        " JOIN states ON states.code = address.state"
        " WHERE line.region <> states.region OR line.month <> substr(invoice.issued_on, 1, 7)"
        " OR address.customer_id <> invoice.customer_id"
        " OR states.tax_basis_points <> invoice.tax_basis_points",
    )
    assert wrong == [(0,)]


def test_the_amount_is_as_exact_as_the_cents(sample, tmp_path):
    path = tmp_path / "changed.sqlite"
    shutil.copy(sample, path)
    cents = [0, 5, -5, 9, -10, 99, -100, 101, -12_345, 2**53 + 1, -(2**62), 2**63 - 1]
    with closing(sqlite3.connect(path)) as database, database:
        for number, amount in enumerate(cents, 1):
            database.execute("UPDATE invoice_lines SET amount_cents = ? WHERE id = ?", (amount, number))
    shown = ask(path, f"SELECT amount FROM report_lines WHERE line_id <= {len(cents)} ORDER BY line_id")
    assert [Decimal(amount) for (amount,) in shown] == [Decimal(each).scaleb(-2) for each in cents]
    assert shown[:4] == [("0.00",), ("0.05",), ("-0.05",), ("0.09",)]


# -- writing --------------------------------------------------------------------------------------------


def test_a_file_is_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "sample.sqlite"
    path.write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        create_sample(path, rows=10)
    assert path.read_text() == "mine"
    path.with_name("sample.sqlite-wal").write_text("of the old one")
    create_sample(path, rows=10, replace=True)
    assert list(tmp_path.iterdir()) == [path]
    assert ask(path, "SELECT count(*) FROM invoice_lines") == [(10,)]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "sample.sqlite"
    with pytest.raises(OutputError, match="is there already"):
        create_sample(path, rows=10, progress=lambda _: path.write_text("mine"))
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rows", [-1, 2**60])
def test_wrong_rows_are_refused(tmp_path, rows):
    with pytest.raises(OptionError, match="'rows'"):
        create_sample(tmp_path / "sample.sqlite", rows=rows)


def test_a_wrong_place_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path, problem in [
        (tmp_path / "no" / "sample.sqlite", "No such file or directory"),
        (tmp_path / "file" / "sample.sqlite", "Not a directory"),
        (tmp_path, "is there already"),
    ]:
        with pytest.raises(OutputError, match=problem) as caught:
            create_sample(path, rows=10, replace=True)
        assert caught.value.path == str(path)


def test_a_folder_without_write_access_is_refused():
    folder = Path(tempfile.mkdtemp())  # the folders of pytest are closed to other users
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            create_sample(folder / "sample.sqlite", rows=10)
    finally:
        if root:
            os.seteuid(0)
        folder.rmdir()


@pytest.mark.parametrize("at", [0, 5_000, 15_000, 20_000])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing(tmp_path, at, kind):
    def interrupt(lines):
        if lines >= at:
            raise kind

    with pytest.raises(kind):
        create_sample(tmp_path / "sample.sqlite", rows=20_000, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(OutputError) as caught:
            create_sample(tmp_path / "sample.sqlite", rows=20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "full" in str(caught.value) or "I/O error" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_CUSTOMERS", 100)

    def peak(rows):
        tracemalloc.start()
        try:
            create_sample(tmp_path / f"{rows}.sqlite", rows=rows)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(60_000) < 1.2 * peak(15_000)
