"""ViCrop's result files: what its model said of the image alone, and with its crop.

`run.py` of saccharomycetes/mllms_know writes a JSON list whose entries have original_answer and
crop_answer beside the question; they become the systems `original` and `crop`.
"""

from __future__ import annotations

from collections.abc import Collection

from seal.evaluation.recorded.cells import names_of, text_of
from seal.evaluation.recorded.form import Content, Form, require
from seal.evaluation.recorded.said import Hints, Said

SYSTEMS = {"original_answer": "original", "crop_answer": "crop"}
_NAMES = ("id", "question_id", "image")


def _fits(keys: Collection[str]) -> bool:
    return {*SYSTEMS} <= {*keys}


def _read(content: Content, where: str) -> list[Said]:
    require(content, tuple(SYSTEMS), where)
    names = names_of(content, _NAMES, where)
    if not names:
        raise ValueError(f"{where}: none of {', '.join(_NAMES)} names a question")
    # Some of its files name the image alone, which has several questions: then the words tell.
    question = content.get("question")
    hints = Hints(names=tuple(names[1:]), prompt=question if isinstance(question, str) else None)
    return [
        Said(where, names[0], text=text_of(content, key, where), system=system, hints=hints)
        for key, system in SYSTEMS.items()
    ]


VICROP = Form(name="vicrop", looks=", ".join(SYSTEMS), fits=_fits, read=_read)
