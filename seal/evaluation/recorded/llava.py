"""LLaVA's answer files: JSON lines of question_id, prompt and text, as its evaluation writes them.

The keys are those of `llava/eval/model_vqa_loader.py` of haotian-liu/LLaVA: question_id, prompt,
text, answer_id, model_id, metadata.
"""

from __future__ import annotations

from collections.abc import Collection

from seal.evaluation.recorded.cells import names_of, text_of
from seal.evaluation.recorded.form import Content, Form, require
from seal.evaluation.recorded.said import Hints, Said


def _fits(keys: Collection[str]) -> bool:
    marks = {"prompt", "answer_id", "model_id", "metadata"}
    return {"question_id", "text"} <= {*keys} and bool(marks & {*keys})


def _read(content: Content, where: str) -> list[Said]:
    require(content, ("question_id", "text"), where)
    names = names_of(content, ("question_id",), where)
    if not names:
        raise ValueError(f"{where}: question_id is empty")
    prompt = text_of(content, "prompt", where)
    more = {key: content[key] for key in ("model_id",) if key in content}
    said = Said(
        where,
        names[0],
        text=text_of(content, "text", where),
        more=more,
        hints=Hints(prompt=prompt),
    )
    return [said]


LLAVA = Form(name="llava", looks="question_id, prompt, text", fits=_fits, read=_read)
