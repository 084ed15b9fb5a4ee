"""A table reads as plain text, and typesets whatever its cells hold."""

from __future__ import annotations

from seal.pages.table import Table, latex, markdown


def test_markdown_lines_up_and_escapes():
    table = Table("t", ("system", "x"), (("a|b", "1.0"), ("c", "")))
    lines = markdown(table).splitlines()
    assert lines[0] == "t"
    assert "a\\|b" in lines[4]
    assert lines[3].startswith("|--") and lines[3].endswith(":|")


def test_latex_escapes_what_latex_would_read():
    text = latex(Table("t", ("system", "x"), (("no_search & more", "50%"),)))
    assert r"no\_search \& more & 50\% \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
