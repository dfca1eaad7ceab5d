import pytest

from genstage import OptionError, sources


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("sqlite:///out/sample.sqlite", "out/sample.sqlite"),
        ("sqlite:////data/a b%20c?d.sqlite", "/data/a b%20c?d.sqlite"),
    ],
)
def test_a_file_is_taken_as_it_is_written(url, database):
    source = sources.from_url(url, "SELECT :a AS a", key=["a desc"], parameters={"a": 1})
    assert source == sources.sqlite(database, "SELECT :a AS a", key=["a desc"], parameters={"a": 1})


@pytest.mark.parametrize(
    "url", ["", "x.sqlite", "sqlite:///", "sqlite://x", "sqlite:x", "SQLITE:///x", "mysql://h/d"]
)
def test_other_urls_are_refused(url):
    with pytest.raises(OptionError) as caught:
        sources.from_url(url, "SELECT 1 AS a", key=["a"])
    assert caught.value.option == "source"
    assert "sqlite:///FILE" in str(caught.value)


def test_a_password_is_not_repeated():
    with pytest.raises(OptionError) as caught:
        sources.from_url("postgres://me:secret@host/db", "SELECT 1 AS a", key=["a"])
    assert "secret" not in str(caught.value)
    assert "postgres://me:***@host/db" in str(caught.value)
