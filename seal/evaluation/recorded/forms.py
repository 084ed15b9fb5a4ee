"""All forms of answer files, and which of them a file is of."""

from __future__ import annotations

from pathlib import Path

from seal.evaluation.recorded.answer_file import AnswerRow, answer_rows
from seal.evaluation.recorded.form import Form
from seal.evaluation.recorded.llava import LLAVA
from seal.evaluation.recorded.lmms_eval import LMMS_EVAL
from seal.evaluation.recorded.plain import PLAIN
from seal.evaluation.recorded.said import Said
from seal.evaluation.recorded.vicrop import VICROP
from seal.evaluation.recorded.vlmevalkit import VLMEVALKIT
from seal.evaluation.recorded.zoom_eye import ZOOM_EYE

_PROGRAMS = (LLAVA, ZOOM_EYE, LMMS_EVAL, VLMEVALKIT, VICROP)
FORMS = {form.name: form for form in (*_PROGRAMS, PLAIN)}


def read_said(path: Path, form: str | None = None) -> tuple[list[Said], Form]:
    """What a file of answers says, and the form it is of; `form` names it where it is known.

    Raises:
        ValueError: the rows are of no form, or of two; or one is not as its form has them.
    """
    rows = answer_rows(path)
    if form is None:
        of = _form_of(rows[0])
    elif form in FORMS:
        of = FORMS[form]
    else:
        raise ValueError(f"form={form!r} is none of {', '.join(FORMS)}")
    return [said for row in rows for said in of.read(row.content, row.where)], of


def _form_of(row: AnswerRow) -> Form:
    """By the keys of the first row. What is no program's may still be plain."""
    found = [form for form in _PROGRAMS if form.fits(row.content)]
    if not found and PLAIN.fits(row.content):
        found = [PLAIN]
    if len(found) == 1:
        return found[0]
    there = ", ".join(map(str, row.content)) or "nothing"
    if found:
        names = " and of ".join(form.name for form in found)
        raise ValueError(f"{row.where} is of {names}: {there}; say which with form=")
    known = "; ".join(f"{form.name}: {form.looks}" for form in FORMS.values())
    raise ValueError(f"{row.where} is of no known form, it has {there}; known are {known}")
