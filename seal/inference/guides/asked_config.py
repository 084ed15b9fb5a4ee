"""How guides that ask a language model ask it: what of it is a choice, and the guides built of it.

Nothing here loads a network library before a guide is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.asking import SHOWN
from seal.inference.guides.guide import Guide
from seal.inference.guides.printed_forms import printed_form
from seal.inference.guides.value_proposals import ProposalConfig
from seal.inference.guides.vlm_yes_no import ASKINGS, YesNoGuide


@dataclass(kw_only=True, slots=True)
class YesNoConfig:
    """Of `vlm_yes_no`."""

    show: str = "patch"  # the patch by itself, or "both": the whole image and the patch
    asking: str | None = None  # yes_no, or refusal (SEAL's VQA LLM); null: by the model

    def __post_init__(self) -> None:
        if self.show not in SHOWN:
            raise ValueError(f"guide.ask.yes_no.show={self.show!r} is none of {', '.join(SHOWN)}")
        if self.asking is not None and self.asking not in ASKINGS:
            raise ValueError(
                f"guide.ask.yes_no.asking={self.asking!r} is none of {', '.join(ASKINGS)}"
            )


@dataclass(kw_only=True, slots=True)
class BoxesConfig:
    """Of `vlm_boxes`."""

    form: str | None = None  # qwen2_vl, qwen2_5_vl, qwen3_vl, internvl, json; null: by the model
    coordinates: str | None = None  # of form=json: fraction, thousand or pixels; the model is told
    order: str | None = None  # of form=json: xyxy, or yxyx as Gemini prints
    scores: str = "existence"  # a Yes-or-No call for each box, or "fixed"
    fixed_score: float = 0.75
    max_boxes: int = 8  # of one answer
    max_new_tokens: int = 256

    def __post_init__(self) -> None:
        if self.form is not None:
            printed_form(self.form, self.coordinates, self.order)
        elif self.coordinates is not None or self.order is not None:
            raise ValueError(
                "guide.ask.boxes.coordinates and guide.ask.boxes.order say what the numbers of "
                "guide.ask.boxes.form=json mean: set that too"
            )


@dataclass(kw_only=True, slots=True)
class ValuesConfig:
    """Of `value_similarity`."""

    layers: list[int] | None = None  # first and one past the last, from 0; null: by depth
    sigma: float = 1.0  # of the Gaussian that smooths a map, in image tokens
    proposals: ProposalConfig = field(default_factory=ProposalConfig)

    def __post_init__(self) -> None:
        if self.layers is not None and len(self.layers) != 2:
            raise ValueError(
                f"guide.ask.values.layers={self.layers}: give two, the first and one past the last"
            )


@dataclass(kw_only=True, slots=True)
class AskedConfigs:
    """One for each guide."""

    yes_no: YesNoConfig = field(default_factory=YesNoConfig)
    boxes: BoxesConfig = field(default_factory=BoxesConfig)
    values: ValuesConfig = field(default_factory=ValuesConfig)

    def of(self, guide: str) -> dict[str, Any]:
        """What a guide was told, JSON-able."""
        chosen: dict[str, Any] = {
            "vlm_yes_no": self.yes_no, "vlm_boxes": self.boxes, "value_similarity": self.values,
        }  # fmt: skip
        return asdict(chosen[guide])

    def build(
        self, guide: str, answer_model: AnswerModel, tell: Callable[[str], None] | None = None
    ) -> Guide:
        """The guide of that name on an answer model. `tell`: of what makes its answers doubtful.

        Raises:
            ValueError: the model cannot be asked or read in this way.
        """
        if guide == "vlm_yes_no":
            return YesNoGuide(
                answer_model, show=self.yes_no.show, asking=self.yes_no.asking, tell=tell
            )
        if guide == "vlm_boxes":
            from seal.inference.guides.vlm_boxes import PrintedBoxes

            return PrintedBoxes(answer_model, **asdict(self.boxes), tell=tell)
        from seal.inference.guides.value_similarity import ValueSimilarity

        assert guide == "value_similarity", guide
        layers = self.values.layers
        return ValueSimilarity(
            answer_model,
            layers=None if layers is None else (layers[0], layers[1]),
            sigma=self.values.sigma,
            proposals=self.values.proposals,
            tell=tell,
        )
