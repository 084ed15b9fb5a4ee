"""Answer files of ZoomEye and of programs grown from it: its annotation with an `output`.

V*Bench: `output` is the place of the option that was chosen, 0 being the true one, and
`per_option_losses` are what it was chosen by (`ZoomEye/eval/eval_results_vstar.py` of
om-ai-lab/ZoomEye counts output == 0); -1 is what programs write that read no option in a text.
HR-Bench: one row for the four rotations of a question; answer, options and output are lists, an
output is a letter or begins with text that holds one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from seal.evaluation.recorded.cells import index_of, losses_of, names_of, text_of
from seal.evaluation.recorded.form import Content, Form, require
from seal.evaluation.recorded.orders import lettered
from seal.evaluation.recorded.said import Hints, Said
from seal.text.quote import quoted

LOSSES = "per_option_losses"
_NONE = -1  # an `output` that is no option's place


def _fits(keys: Collection[str]) -> bool:
    return "input_image" in keys and ("output" in keys or LOSSES in keys)


def _read(content: Content, where: str) -> list[Said]:
    require(content, ("input_image",), where)
    if "output" not in content and LOSSES not in content:
        raise ValueError(f"{where} lacks output and {LOSSES}")
    if isinstance(content.get("output"), list):
        return _rotations(content, where)
    output = content.get("output")
    names = names_of(content, ("input_image",), where)
    if not names:
        raise ValueError(f"{where}: input_image is empty")
    options = _texts(content.get("options", []), where)
    # A table holds the place as text; words that are an option's are words.
    losses = losses_of(content, LOSSES, where)
    none = losses is None and output in (_NONE, str(_NONE)) and output not in options
    written = isinstance(output, str) and (output in options or not output.strip().isdigit())
    told = not none and not written and output is not None
    said = Said(
        where,
        names[0],
        text=text_of(content, "output", where) if written and not none else None,
        losses=losses,
        chosen=index_of(output, "output", where) if told else None,
        more={"output": _NONE} if none else {},
        hints=Hints(
            question=text_of(content, "question", where),
            options=options,
            true_first=none or not written,
        ),
    )
    return [said]


def _rotations(content: Content, where: str) -> list[Said]:
    """One answer for each order of the options."""
    require(content, ("question", "options", "answer", "output"), where)
    columns = [content[key] for key in ("options", "answer", "output")]
    if not all(isinstance(column, list) for column in columns):
        raise ValueError(f"{where}: options, answer and output must all be lists")
    options, answers, outputs = columns
    if not len(options) == len(answers) == len(outputs):
        raise ValueError(
            f"{where}: {len(options)} options, {len(answers)} answer and {len(outputs)} output "
            "must be as many"
        )
    start = index_of(content["index"], "index", where, most=None) if "index" in content else None
    said = []
    for turn, output in enumerate(outputs):
        here = f"{where}, output {turn + 1}"
        shown = options[turn]
        if not isinstance(shown, str):
            raise ValueError(f"{here}: options={quoted(shown)}: expected lettered lines")
        hints = Hints(
            names=() if start is None else (str(start + turn),),
            question=text_of(content, "question", where),
            options=tuple(lettered(shown)),
            truth=text_of({"answer": answers[turn]}, "answer", here),
        )
        text = text_of({"output": output}, "output", here)
        said.append(Said(here, "", text=text, more={"rotation": turn}, hints=hints))
    return said


def _texts(options: Any, where: str) -> tuple[str, ...]:
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise ValueError(f"{where}: options={quoted(options)}: expected a list of texts")
    return tuple(options)


ZOOM_EYE = Form(name="zoom_eye", looks=f"input_image, output or {LOSSES}", fits=_fits, read=_read)
