"""Render a chat template (Jinja) in the sandbox of transformers: no thoughts, the day fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError

from seal.text.quote import quoted

# Templates that write today's date would write another prompt every day. This one is what Llama
# 3.1's falls back to.
_DAY = {
    "%d": "26", "%m": "07", "%Y": "2024", "%y": "24", "%b": "Jul", "%B": "July", "%a": "Fri",
    "%A": "Friday", "%e": "26", "%-d": "26", "%-m": "7", "%H": "00", "%M": "00", "%S": "00",
}  # fmt: skip
# The sandbox takes no functions; a macro of this name takes the place of its own.
_CLOCK = (
    "{% macro strftime_now(format) %}{{ format"
    + "".join(f" | replace('{field}', '{value}')" for field, value in _DAY.items())
    + " }}{% endmacro %}\n"
)


def render_chat(
    template: str, messages: list[dict[str, str]], *, answer_next: bool, names: Mapping[str, Any]
) -> str:
    """What `template` writes of `messages`.

    Args:
        answer_next: up to where an answer would begin.
        names: `bos_token` and so on, as text.

    Raises:
        ValueError: the template is damaged, or refuses the messages.
    """
    # Imported here: it takes a second, and only a chat template needs it.
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        rendered: Any = render_jinja_template(
            [messages],
            chat_template=_CLOCK + template,
            add_generation_prompt=answer_next,
            enable_thinking=False,
            date_string="26 Jul 2024",
            **names,
        )
    except (TemplateError, TypeError) as error:
        raise ValueError(
            f"its chat template cannot be used ({quoted(str(error))}); use "
            "prompt_style=vicuna, or another template"
        ) from error
    return str(rendered[0][0])
