from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seal.building.language import LanguageConfig, print_usage
from seal.building.language.unwritten_records import Prompt


def draw(facts: dict[str, Any], rng: np.random.Generator) -> str:
    return f"{facts['name']} {rng.integers(10**6)}"


def prompts(number: int = 5) -> list[Prompt]:
    return [Prompt("draw", "system", f"user {i}", {"name": f"n{i}"}) for i in range(number)]


def write(seed: int = 0, **templates: Any) -> list[str | None]:
    return LanguageConfig(seed=seed).build({"draw": draw, **templates}).write(prompts(), accept)


def accept(place: int, answer: str) -> None:
    pass


def test_a_draw_depends_on_the_seed_and_its_prompt_alone() -> None:
    model = LanguageConfig().build({"draw": draw})
    together = model.write(prompts(), accept)
    assert together == [model.write([prompt], accept)[0] for prompt in prompts()]
    assert len(set(together)) == 5
    assert not set(together) & set(write(seed=1))


def test_an_answer_that_is_refused_is_drawn_again_and_then_given_up() -> None:
    said: list[str] = []

    def refuse(place: int, answer: str) -> None:
        said.append(answer)
        if place == 0 or len(said) < 8:
            raise ValueError("no")

    model = LanguageConfig(attempts=6).build({"draw": draw})
    first, second = model.write(prompts(2), refuse)
    assert first is None and second is not None
    assert len(set(said)) == len(said) == 8


def test_a_task_without_a_template_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'other' \(there are: draw\)"):
        LanguageConfig().build({"draw": draw}).write([Prompt("other", "", "")], accept)


def test_templates_have_nothing_to_report(capsys: pytest.CaptureFixture[str]) -> None:
    model = LanguageConfig(seed=3).build({})
    print_usage(model)
    assert capsys.readouterr() == ("", "")
    assert model.settings() == {"kind": "templates", "seed": 3, "attempts": 6}
