"""The inference side of `protocol=`: which of the original's quirks are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ON_NOT_FOUND = ("say_so", "use_best_box")
CHOOSING = ("likelihood", "letters")
CUE_PREFIXES = ("forced", "free")
PROTOCOLS = ("default", "as_released")


@dataclass(kw_only=True, slots=True)
class ProtocolConfig:
    """The inference side of the named bundles of the original's quirks (`protocol=`)."""

    name: str = "default"
    on_not_found: str = "say_so"  # use_best_box: a failed search hands over its best guess (21)
    no_search_image: str = "padded"  # as_released: options without a search see a center crop (22)
    token_policy: str | None = None  # which projector serves what (3); None: as the model says
    # How an option is chosen: by the likelihood of its words, or by the letter with which an answer
    # to the list of options begins; None: by likelihood wherever the answer model can tell it.
    choosing: str | None = None
    nms_iou: float | None = None  # drop overlapping instances on the whole image (23); None: keep
    # free: the search model decodes all of where a target most likely is; forced: from its name on.
    cue_prefix: Literal["forced", "free"] = "forced"

    def __post_init__(self) -> None:
        if self.on_not_found not in ON_NOT_FOUND:
            raise ValueError(
                f"on_not_found={self.on_not_found!r}; known: {', '.join(ON_NOT_FOUND)}"
            )
        if self.choosing is not None and self.choosing not in CHOOSING:
            raise ValueError(f"choosing={self.choosing!r} is none of {', '.join(CHOOSING)}")

        if self.cue_prefix not in CUE_PREFIXES:
            raise ValueError(f"cue_prefix={self.cue_prefix!r} is none of {', '.join(CUE_PREFIXES)}")

    def settings(self) -> dict[str, str]:
        """What config.yaml of a run says beside the name: what folders of before know nothing of,
        where it is not as it was then.
        """
        return {} if self.cue_prefix == "forced" else {"protocol_cue_prefix": self.cue_prefix}

    @classmethod
    def named(cls, name: str) -> ProtocolConfig:
        """`default`, what we believe in, or `as_released`, what reproduces the paper's numbers."""
        if name == "default":
            return cls()
        if name == "as_released":
            return cls(
                name=name,
                on_not_found="use_best_box",
                no_search_image="as_released",
                token_policy="paper_inference",
                cue_prefix="free",
            )
        raise ValueError(f"protocol={name!r}; known: {', '.join(PROTOCOLS)}")
