"""The sample database: an invoicing business, made of a seed."""

# ruff: noqa: PLR2004, S311 - the shares of an invented business; chance is seeded and keeps no secret

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from genstage.errors import OptionError, OutputError
from renderers.demo import vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["DEFAULT_ROWS", "DEFAULT_SEED", "create_sample"]

T = TypeVar("T")

DEFAULT_ROWS = 50_000
DEFAULT_SEED = 42

_FIRST_DAY = date(2022, 1, 3)
_LAST_DAY = date(2024, 12, 31)
_LINES_PER_CUSTOMER = 25
_MOST_CUSTOMERS = 20_000  # they are kept in memory
_BATCH = 5_000  # lines from one report of progress to the next
_MOST_ROWS = 2**53

# Nobody else sees the file before it is whole, so it needs no journal; it is synced once, at the end.
_SETTINGS = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA locking_mode = EXCLUSIVE")
# Made when all lines are there: sorting them once is quicker than finding a place for each.
_INDEX = "CREATE INDEX report_order ON invoice_lines (region, month, id)"


def create_sample(
    path: str | os.PathLike[str],
    *,
    rows: int = DEFAULT_ROWS,
    seed: int = DEFAULT_SEED,
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Make the sample database. The same rows and seed make the same data.

    It is written beside its place and moved there when it is whole; if anything goes wrong, nothing is left.
    Memory does not grow with the number of rows.

    Args:
        path: The file to make; its folder must exist.
        rows: Number of invoice lines, 0 or more.
        seed: Any integer.
        replace: Whether a file that is there already may be replaced.
        progress: Called with the number of lines written so far, every few thousand lines and at the end.

    Raises:
        OptionError: ``rows`` is negative.
        OutputError: The file is there already, or cannot be written.
    """
    if not 0 <= rows <= _MOST_ROWS:
        raise OptionError("rows", rows, f"a number from 0 to {_MOST_ROWS}")
    target = Path(path)
    try:
        _refuse_existing(target, replace)
        with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
            draft = Path(folder) / target.name
            with closing(sqlite3.connect(draft, isolation_level=None)) as database:
                _fill(database, rows, Random(seed), progress or (lambda _: None))
            with draft.open("rb+") as whole:
                os.fsync(whole.fileno())
            _refuse_existing(target, replace)
            for leftover in ("-wal", "-shm", "-journal"):  # SQLite would apply the old ones to the new file
                target.with_name(target.name + leftover).unlink(missing_ok=True)
            draft.replace(target)
    except OSError as error:
        raise OutputError(str(path), error.strerror or str(error)) from error
    except sqlite3.Error as error:
        raise OutputError(str(path), str(error)) from error


def _refuse_existing(target: Path, replace: bool) -> None:  # noqa: FBT001 - the option of the function above
    if target.exists() and not (replace and target.is_file()):
        raise OutputError(str(target), "is there already")


def _fill(database: sqlite3.Connection, rows: int, random: Random, progress: Callable[[int], None]) -> None:
    for setting in _SETTINGS:
        database.execute(setting)
    database.executescript(files(__package__).joinpath("schema.sql").read_text(encoding="utf-8"))
    database.execute("BEGIN")
    _fill_goods(database)
    customers = _make_customers(database, min(rows // _LINES_PER_CUSTOMER + 1, _MOST_CUSTOMERS), random)
    batch = _Batch()
    for invoice in _invoices(rows, customers, random):
        batch.add(invoice)
        if len(batch.lines) >= _BATCH:
            batch.write(database)
            progress(batch.written)
    batch.write(database)
    database.execute(_INDEX)
    database.execute("COMMIT")
    progress(batch.written)


def _fill_goods(database: sqlite3.Connection) -> None:
    database.executemany(
        "INSERT INTO customer_types (name, discount_percent, net_days) VALUES (?, ?, ?)",
        vocabulary.CUSTOMER_TYPES,
    )
    database.executemany("INSERT INTO states VALUES (?, ?, ?, ?)", (state[:4] for state in vocabulary.STATES))
    database.executemany(
        "INSERT INTO categories (name) VALUES (?)", ((name,) for name in vocabulary.CATEGORIES)
    )
    database.executemany(
        "INSERT INTO products VALUES (?, ?, ?, ?, ?)",
        (
            (number, category + 1, f"{vocabulary.CATEGORIES[category][:3].upper()}-{number:03d}", name, price)
            for number, (category, name, price) in enumerate(vocabulary.PRODUCTS, 1)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Customer:
    """What an invoice takes from its customer."""

    number: int
    discount_percent: int
    net_days: int
    region: str
    tax_basis_points: int


def _make_customers(database: sqlite3.Connection, count: int, random: Random) -> list[_Customer]:
    """Each with one address."""
    found = []
    people, addresses = [], []
    kinds = list(enumerate(vocabulary.CUSTOMER_TYPES, 1))
    for number in range(1, count + 1):
        kind, (_, discount, net_days) = _pick(kinds, random)
        code, _, region, tax, postal_code, cities = _pick(vocabulary.STATES, random)
        name = _customer_name(kind, random)
        phone = f"+1 555 {_below(1000, random):03d} {_below(10_000, random):04d}"
        since = _FIRST_DAY - timedelta(days=_below(3650, random))
        people.append(
            (
                number,
                name,
                kind,
                f"customer{number}@example.com",
                phone if random.random() < 0.8 else None,
                since.isoformat(),
            )
        )
        street = f"{1 + _below(400, random)} {_pick(vocabulary.STREETS, random)}"
        addresses.append(
            (number, number, street, _pick(cities, random), code, f"{postal_code}{_below(100, random):02d}")
        )
        found.append(_Customer(number, discount, net_days, region, tax))
    database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?)", people)
    database.executemany("INSERT INTO addresses VALUES (?, ?, ?, ?, ?, ?)", addresses)
    return found


def _customer_name(kind: int, random: Random) -> str:
    surname = _pick(vocabulary.SURNAMES, random)
    if kind == 1:
        return f"{_pick(vocabulary.FIRST_NAMES, random)} {surname}"
    match _below(4, random):
        case 0:
            return f"{surname} & {_pick(vocabulary.SURNAMES, random)}"
        case 1:
            return f"{surname} {_pick(vocabulary.TRADES, random)}"
    return f"{_pick(vocabulary.PLACES, random)} {_pick(vocabulary.TRADES, random)}"


# An invoice is a row of its table, and its lines without the number of the invoice.
_Line = tuple[int, int, int, int, int, int, str, str]
_Invoice = tuple[tuple[object, ...], list[_Line]]


def _invoices(rows: int, customers: Sequence[_Customer], random: Random) -> Iterator[_Invoice]:
    """All invoices in the order of their days, with so many lines altogether."""
    days = _working_days()
    prices = [price for _, _, price in vocabulary.PRODUCTS]
    number = booked = 0
    while booked < rows:
        number += 1
        customer = _pick(customers, random)
        issued = days[booked * len(days) // rows]
        month = issued.isoformat()[:7]
        size = min(1 + _mostly_small(8, random), rows - booked)
        lines = [
            (position, *_line(customer, prices, random), customer.region, month)
            for position in range(1, size + 1)
        ]
        booked += size
        yield _head(number, customer, issued, sum(line[5] for line in lines), random), lines


def _line(customer: _Customer, prices: Sequence[int], random: Random) -> tuple[int, int, int, int, int]:
    """Product, quantity, price, discount and amount."""
    product = _below(len(prices), random)
    price = prices[product]
    # Cheap goods sell in larger numbers; now and then something comes back.
    quantity = 1 + _mostly_small(40 if price < 2_500 else 6, random)
    chance = random.random()
    discount = customer.discount_percent
    if chance < 0.02:
        quantity = -1
    elif chance < 0.10:
        discount += 10
    return product + 1, quantity, price, discount, _share(quantity * price, 100 - discount, 100)


def _head(number: int, customer: _Customer, issued: date, net: int, random: Random) -> tuple[object, ...]:
    due = issued + timedelta(days=customer.net_days)
    tax = _share(net, customer.tax_basis_points, 10_000)
    status, paid_on = _state(issued, due, random)
    return (
        number,
        None if status == "draft" else f"{issued.year}-{number:06d}",
        customer.number,
        customer.number,  # of the address
        status,
        issued.isoformat(),
        customer.net_days,
        due.isoformat(),
        paid_on,
        customer.tax_basis_points,
        net,
        tax,
        net + tax,
    )


def _state(issued: date, due: date, random: Random) -> tuple[str, str | None]:
    """Status and day of payment, as on the last day of the sample."""
    chance = random.random()
    if chance < 0.02:
        return "cancelled", None
    if (_LAST_DAY - issued).days < 10 and chance < 0.4:
        return "draft", None
    paid = issued + timedelta(days=_below((due - issued).days + 10, random))
    if chance < 0.95 and paid <= _LAST_DAY:
        return "paid", paid.isoformat()
    return ("overdue" if due < _LAST_DAY else "sent"), None


class _Batch:
    """Invoices on their way into the database."""

    def __init__(self) -> None:
        self.written = 0
        self.invoices: list[tuple[object, ...]] = []
        self.lines: list[tuple[object, ...]] = []

    def add(self, invoice: _Invoice) -> None:
        head, lines = invoice
        self.invoices.append(head)
        self.lines += [(head[0], *line) for line in lines]

    def write(self, database: sqlite3.Connection) -> None:
        database.executemany(
            "INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self.invoices
        )
        database.executemany("INSERT INTO invoice_lines VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self.lines)
        self.written += len(self.lines)
        self.invoices.clear()
        self.lines.clear()


def _working_days() -> list[date]:
    days = (_FIRST_DAY + timedelta(days=after) for after in range((_LAST_DAY - _FIRST_DAY).days + 1))
    return [day for day in days if day.weekday() < 5]


# Only Random.random() is the same in all versions of Python.


def _below(limit: int, random: Random) -> int:
    return int(limit * random.random())


def _mostly_small(limit: int, random: Random) -> int:
    chance = random.random()
    return int(limit * chance * chance)


def _pick(choices: Sequence[T], random: Random) -> T:
    return choices[int(len(choices) * random.random())]


def _share(cents: int, part: int, whole: int) -> int:
    """``cents * part / whole``, rounded half away from zero."""
    share = (2 * abs(cents) * part + whole) // (2 * whole)
    return share if cents >= 0 else -share
