"""In which form each family of vision-language models prints boxes, and how it is asked for them.

Facts from their reports: Qwen2-VL (arXiv 2409.12191) and InternVL (2404.16821) count from 0 to 1000
along each side, Qwen2.5-VL (2502.13923) in pixels of the picture as its processor resized it,
Qwen3-VL (2511.21631) and GLM-4.1V (2507.01006) from 0 to 1000 again. Their marks around names and
boxes are control tokens, which no question may hold and which are not in a decoded answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from seal.text.printed_boxes import ORDERS, Frame
from seal.text.prompts import without_article

COORDINATES = ("fraction", "thousand", "pixels")


@dataclass(frozen=True, slots=True)
class PrintedForm:
    """What is asked, and what the numbers of the answer mean."""

    question: str  # {target}; {corners} and {unit} where a model is told
    coordinates: str  # one of COORDINATES
    order: str = "xyxy"

    def ask(self, target: str, size: tuple[int, int]) -> str:
        """`size`: (width, height) of the picture as the model is given it."""
        return self.question.format(
            target=without_article(target),
            corners="[x0, y0, x1, y1]" if self.order == "xyxy" else "[y0, x0, y1, x1]",
            unit=_UNITS[self.coordinates].format(*size),
        )

    def frame(self, size: tuple[int, int]) -> Frame:
        """What the numbers are relative to, for a picture that the model was given at `size`."""
        sides = {"fraction": (1, 1), "thousand": (1000, 1000), "pixels": size}[self.coordinates]
        return Frame(*sides, order=self.order)


_UNITS = {
    "fraction": "as fractions of the picture's width and height, from 0 to 1",
    "thousand": "from 0 at the left and upper edge to 1000 at the right and lower edge",
    "pixels": "in pixels of the picture, which is {} wide and {} high",
}
_BBOX_2D = (
    "Locate every {target} in the image. Report the coordinates as a JSON list of objects with "
    '"bbox_2d" and "label"; report [] if there is none.'
)
FORMS: dict[str, PrintedForm] = {
    "qwen2_vl": PrintedForm("Detect the bounding box of every {target} in the image.", "thousand"),
    "qwen2_5_vl": PrintedForm(_BBOX_2D, "pixels"),
    "qwen3_vl": PrintedForm(_BBOX_2D, "thousand"),
    # The sentence that its models were trained to answer.
    "internvl": PrintedForm(
        "Please provide the bounding box coordinate of the region this sentence describes: "
        "{target}",
        "thousand",
    ),
    "json": PrintedForm(
        "Find every {target} in the picture. Answer with a JSON list and nothing else: for each "
        'one {{"label": "{target}", "box": {corners}}}, the coordinates {unit}. Answer [] if '
        "there is none.",
        "fraction",
    ),
}
# By model type; whatever is not listed is asked for plain JSON, and told what the numbers mean.
_FAMILIES = {
    "qwen2_vl": "qwen2_vl",
    "qwen2_5_vl": "qwen2_5_vl",
    "qwen3_vl": "qwen3_vl",
    "qwen3_vl_moe": "qwen3_vl",
    "qwen3_5": "qwen3_vl",
    "qwen3_5_moe": "qwen3_vl",
    "glm4v": "qwen3_vl",
    "glm4v_moe": "qwen3_vl",
    "internvl": "internvl",
}


def form_of(model_type: str) -> str:
    """The name of the form that a family prints; "json" for what no family is known of."""
    return _FAMILIES.get(model_type, "json")


def printed_form(
    name: str, coordinates: str | None = None, order: str | None = None
) -> PrintedForm:
    """The form called `name`; of `json`, with numbers that mean what is said here.

    Raises:
        ValueError: there is no such form or meaning, or a form that has its own is given another.
    """
    if name not in FORMS:
        raise ValueError(f"form={name!r} is none of {', '.join(FORMS)}")
    for key, value, known in (("coordinates", coordinates, COORDINATES), ("order", order, ORDERS)):
        if value is None:
            continue
        if value not in known:
            raise ValueError(f"{key}={value!r} is none of {', '.join(known)}")
        if name != "json":
            raise ValueError(
                f"form={name} says itself what its numbers mean: leave {key} out, or form=json"
            )
    form = FORMS[name]
    return replace(form, coordinates=coordinates or form.coordinates, order=order or form.order)
