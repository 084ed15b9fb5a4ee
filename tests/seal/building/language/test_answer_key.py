from __future__ import annotations

from seal.building.language.answer_key import answer_key
from seal.building.language.unwritten_records import Prompt

PROMPT = Prompt("task", "system", "user", {"a": 1})


def test_an_answer_goes_by_prompt_and_settings() -> None:
    key = answer_key(PROMPT, {"model": "m", "temperature": 0})
    assert key == answer_key(
        Prompt("other task", "system", "user"), {"temperature": 0, "model": "m"}
    )
    others = [
        answer_key(Prompt("task", "system", "user 2"), {"model": "m", "temperature": 0}),
        answer_key(Prompt("task", "systemuser", ""), {"model": "m", "temperature": 0}),
        answer_key(PROMPT, {"model": "n", "temperature": 0}),
        answer_key(PROMPT, {"model": "m", "temperature": 1}),
    ]
    assert len({key, *others}) == 5
