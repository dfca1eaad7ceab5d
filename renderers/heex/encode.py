"""Texts as HEEx source, so that every LiveView from 0.20 to 1.2 renders exactly that text.

Each function is for one place in a template; a text encoded for one is not safe in another. What HTML cannot
hold, NUL and halves of surrogate pairs, becomes U+FFFD. An expression keeps a carriage return, but browsers
read it as a line feed; only in element texts and quoted attributes it stays one.
"""

from __future__ import annotations

import json
import re

__all__ = ["attribute", "comment", "element_text", "elixir_string", "script_json", "showable", "style_string"]

_UNSHOWABLE = re.compile("[\0\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")

# Braces open an expression in element text from LiveView 1.0 on, also as text. Named entities and
# character references are copied as they are, so that the browser decodes them.
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;", "}": "&#125;", "\r": "&#13;"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "'": "&#39;", "\n": "&#10;", "\t": "&#9;"})
_COMMENT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "-": "&#45;", "\r": "&#13;"})
_SCRIPT = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
_NOT_IN_ELIXIR = re.compile(r"[^A-Za-z0-9 .,;:\-_+*/=()\[\]|@!?^~$\U00010000-\U0010ffff]")
_NOT_IN_STYLE = re.compile("[^A-Za-z0-9 ]")


def showable(text: str) -> str:
    """A text with U+FFFD in place of what HTML cannot hold."""
    return _UNSHOWABLE.sub("\ufffd", text)


def element_text(text: str) -> str:
    """A text between tags, or in a component's slot.

    In ``pre`` and ``textarea`` the browser drops a line feed at the beginning: write one before the text.

    Example:
        >>> element_text("a < {b}")
        'a &lt; &#123;b&#125;'
    """
    return showable(text).translate(_TEXT)


def attribute(text: str) -> str:
    """The value of a tag's attribute, with the quotes; for a component's take :func:`elixir_string`.

    Example:
        >>> attribute('say "hi"')
        '"say &quot;hi&quot;"'
    """
    return f'"{showable(text).translate(_ATTRIBUTE)}"'


def elixir_string(text: str) -> str:
    r"""A string within an expression or an Elixir module, with the quotes.

    Elixir's strings can hold NUL: pass what is meant to be shown through :func:`showable`.

    Example:
        >>> print(elixir_string("#{1 + 1}"))
        "\u0023\u007B1 + 1\u007D"
    """
    # Escaped braces, because attributes count braces within strings too; always four digits, because
    # the other notation has braces. What is beyond four digits needs no escape.
    whole = _SURROGATES.sub("\ufffd", text)
    return f'"{_NOT_IN_ELIXIR.sub(_escaped, whole)}"'


def _escaped(char: re.Match[str]) -> str:
    return f"\\u{ord(char[0]):04X}"


def comment(text: str) -> str:
    """A text within ``<!--`` and ``-->``, which reaches the reader of the page's source.

    Example:
        >>> comment("a --> b")
        'a &#45;&#45;&gt; b'
    """
    return showable(text).translate(_COMMENT)


def script_json(text: str) -> str:
    r"""A JSON string within a ``script`` element, with the quotes.

    Example:
        >>> print(script_json("</script>"))
        "\u003c/script\u003e"
    """
    return json.dumps(showable(text), ensure_ascii=False).translate(_SCRIPT)


def style_string(text: str) -> str:
    r"""A CSS string within a ``style`` element, with the quotes.

    Example:
        >>> print(style_string("a}"))
        "a\00007D"
    """
    return '"' + _NOT_IN_STYLE.sub(lambda char: f"\\{ord(char[0]):06X}", showable(text)) + '"'
