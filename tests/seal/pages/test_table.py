"""A table reads as plain text, and typesets whatever its cells hold."""

from __future__ import annotations

import re
import string

from seal.pages.page import Page
from seal.pages.table import Table, latex, markdown

NOTED = Table("t", ("system", "x"), (("a", "1 (1)"),), ("(1) run_a: 50% of {n}", "[b] two"))


def test_markdown_lines_up_and_escapes():
    table = Table("t", ("system", "x"), (("a|b", "1.0"), ("c", "")))
    lines = markdown(table).splitlines()
    assert lines[0] == "t"
    assert "a\\|b" in lines[4]
    assert lines[3].startswith("|--") and lines[3].endswith(":|")
    assert len({len(line) for line in lines[2:]}) == 1


def test_a_cell_of_several_lines_stays_one_row():
    lines = markdown(Table("t", ("system", "x\ny"), (("a\nb", "1\n\n2"),))).splitlines()
    assert len(lines) == 5 and lines[4].split("|")[1:3] == [" a b    ", " 1 2 "]


def test_latex_escapes_what_latex_would_read():
    text = latex(Table("t", ("system", "x"), (("no_search & more", "50%"),)))
    assert r"no\_search \& more & 50\% \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_no_printable_character_of_a_cell_is_a_command_of_latex():
    cell = string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", "")
    (row,) = [x for x in latex(Table("t", ("a",), ((cell,),))).splitlines() if "0123" in x]
    # What is left when escaped marks and the named ones are taken out has no mark of its own.
    named = r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}"
    left = re.sub(rf"{named}|\\[{{}}&%_#$]", "", row.removesuffix(r"\\"))
    assert not set(left) & set("\\{}&%_#$~^<>|")
    assert set(string.ascii_letters + string.digits) <= set(left)


def test_a_row_that_begins_with_a_bracket_is_no_argument_of_the_row_before():
    text = latex(Table("t\nu", ("a",), (("[0, 1]",), ("*b",))))
    assert text.startswith("% t u\n")
    assert r"{[}0, 1] \\" in text and r"{*}b \\" in text


def test_notes_stand_below_in_every_form():
    assert markdown(NOTED).endswith("\n\n(1) run_a: 50% of {n}  \n[b] two")
    typeset = latex(NOTED).splitlines()
    assert typeset[-4:] == [
        r"{\footnotesize", r"(1) run\_a: 50\% of \{n\} \\", "{[}b] two", r"\par}"
    ]  # fmt: skip
    page = Page("p")
    page.table(NOTED)
    assert '<p class="note">(1) run_a: 50% of {n}<br>[b] two</p>' in page.to_html()
