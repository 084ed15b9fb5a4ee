"""The tokens of an answer as the model itself would write it behind its prompt."""

from __future__ import annotations

from jinja2 import TemplateError

from seal.inference.hf.control_tokens import as_plain_text
from seal.inference.hf.encode import prompt_text, user
from seal.inference.hf.model import HFModel
from seal.text.quote import quoted

_ASKED, _ANSWERED = "qzq", "zqz"  # in no template


class AnswerTokens:
    """Answers to tokens; what stands before an answer is the same after every question."""

    def __init__(self, hf: HFModel) -> None:
        self._hf = hf
        self._cue, self._lead = _surroundings(hf)
        self._known: dict[str, list[int]] = {}
        self.lead = self._behind_cue(self._lead)  # tokens of what stands before every answer

    def __call__(self, answer: str) -> list[int]:
        """Its own tokens, without whatever a template writes behind an answer.

        Raises:
            ValueError: there are none.
        """
        if answer not in self._known:
            ids = self._behind_cue(self._lead + as_plain_text(answer, self._hf.controls))
            if not answer or not ids:
                raise ValueError(f"an answer of no tokens cannot be scored: {quoted(answer)}")
            self._known[answer] = ids
        return self._known[answer]

    def _behind_cue(self, text: str) -> list[int]:
        before, whole = self._encode(self._cue), self._encode(self._cue + text)
        alike = whole[: len(before)] == before
        return whole[len(before) :] if alike else self._encode(text)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._hf.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def _surroundings(hf: HFModel) -> tuple[str, str]:
    """What a prompt ends with behind the question, and what comes between it and an answer.

    The latter is a space for templates that write `ASSISTANT: answer` and ask with `ASSISTANT:`.
    """
    asked = user([{"type": "text", "text": _ASKED}])
    prompt = prompt_text(hf, asked)
    cue = prompt.rpartition(_ASKED)[2]
    answer = {"role": "assistant", "content": [{"type": "text", "text": _ANSWERED}]}
    try:
        whole = prompt_text(hf, [*asked, answer], answered=True)
    except (TemplateError, TypeError):  # a template that takes no answers
        return cue, ""
    if not whole.startswith(prompt) or _ANSWERED not in whole:
        return cue, ""  # it asks in another way than it answers, as models that think first do
    return cue, whole[len(prompt) :].partition(_ANSWERED)[0]
