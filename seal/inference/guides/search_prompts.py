"""What the search model reads: one beginning for every crop, and a question behind it."""

from __future__ import annotations

from functools import lru_cache

from seal.batch import VISUAL_TOKEN, Visual
from seal.text.chat_template import choose_template
from seal.text.conversation import continuation_ids, end_ids, prompt_row
from seal.text.prompts import LOCATE_ANSWER, cue_prefix, cue_question, locate_question
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, VisualSizes

_REMEMBERED = 4096  # questions whose ids are kept


class SearchPrompts:
    """Token ids of the prompts of one tokenizer; those of a question are made once."""

    def __init__(self, tokenizer: Tokenizer, prompt_style: str, num_visual: int) -> None:
        """`num_visual`: visual tokens of a picture."""
        self.tokenizer = tokenizer
        self.template = choose_template(tokenizer, "vsm", prompt_style)
        self.end_ids = end_ids(tokenizer, self.template)
        self.num_visual = num_visual
        shared = self._ids("", "")
        count = len(shared) - shared[::-1].index(VISUAL_TOKEN)
        # Up to the picture's last token: text, then the picture.
        self._shared = shared[:count]
        self.before_picture = self._shared[: count - num_visual]
        assert VISUAL_TOKEN not in self.before_picture
        self.locate = lru_cache(_REMEMBERED)(self._locate)
        self.cue = lru_cache(_REMEMBERED)(self._cue)

    @property
    def shared_length(self) -> int:
        """Positions that all prompts have in common."""
        return len(self._shared)

    def _locate(self, name: str, answered: bool = True) -> tuple[int, ...]:
        """What follows the picture, up to the token that predicts `[LOC]`.

        `answered=False`: up to where the answer begins.
        """
        # `Sure,` alone would not do: some tokenizers have a piece for the space behind it.
        return self._behind(locate_question(name), LOCATE_ANSWER if answered else "")

    def _cue(self, name: str, forced: bool = True) -> tuple[int, ...]:
        """What follows the picture, up to the first word that is to be decoded.

        `forced`: the answer begins with the target's name, as the models learned it.
        """
        return self._behind(cue_question(name), cue_prefix(name) if forced else "")

    def begun(self, name: str) -> list[int]:
        """The forced beginning of a cue answer."""
        return continuation_ids(self.tokenizer, self.template, cue_prefix(name), stop=False)

    def _behind(self, question: str, answer_prefix: str) -> tuple[int, ...]:
        ids = self._ids(question, answer_prefix)
        assert ids[: len(self._shared)] == self._shared
        return tuple(ids[len(self._shared) :])

    def _ids(self, question: str, answer_prefix: str) -> list[int]:
        """The prompt and the beginning of its answer, which ends before a `[LOC]`."""
        row = prompt_row(
            self.tokenizer,
            self.template,
            f"{IMAGE_PLACEHOLDER}\n{question}",
            answer_prefix=answer_prefix,
            image=Visual(0, long=True),
            sizes=VisualSizes(long=self.num_visual),
        )
        ids: list[int] = row.input_ids[: row.loc_position].tolist()
        return ids
