"""What the tools are called, take and give, as a client is told it."""

from __future__ import annotations

from typing import Any

from mcp_types import Tool, ToolAnnotations

INSTRUCTIONS = (
    "Visual search in images that are too large to see at once. locate finds a thing, however "
    "small, and shows it; zoom shows any region at a readable size; ask answers a question and "
    "searches by itself for what it cannot see. Boxes are [x0, y0, x1, y1] in pixels of the whole "
    "image, from its top left corner."
)
_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_BOX = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
_SIZE = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
_PLACED = {
    "type": "object",
    "properties": {"box_xyxy": _BOX, "box_normalized": _BOX, "score": {"type": "number"}},
    "required": ["box_xyxy", "box_normalized", "score"],
}
_CROP = {
    "type": "object",
    "properties": {"box_xyxy": _BOX, "shown_size": _SIZE, "scale": {"type": "number"}},
    "required": ["box_xyxy", "shown_size", "scale"],
}
_NOTES = {"type": "array", "items": {"type": "string"}}
_SEARCH = {
    "type": "object",
    "properties": {
        "target": {"type": "string"},
        "found": {"type": "boolean"},
        "boxes": {"type": "array", "items": _PLACED},
        "best_guess": {"anyOf": [_PLACED, {"type": "null"}]},
        "regions_looked_at": {"type": "integer"},
        "stopped_early": {"type": ["string", "null"]},
        "image_size": _SIZE,
        "crops": {"type": "array", "items": _CROP},
        "notes": _NOTES,
    },
    "required": ["target", "found", "boxes", "best_guess", "regions_looked_at", "image_size"],
}


def _image(folders: bool) -> dict[str, Any]:
    path = "the path of an image file in a folder that the server reads, or " if folders else ""
    return {
        "type": "string",
        "description": f"{path}the image itself as a data URL, data:image/png;base64,...",
    }


def tools(*, folders: bool, answers: bool, searches: bool) -> list[Tool]:
    """Those that the server has.

    folders: it reads files. answers, searches: it has an answer model, something that locates.
    """
    listed = []
    if searches:
        listed.append(_locate(folders))
    listed.append(_zoom(folders))
    if answers:
        listed.append(_ask(folders))
    return listed


def _locate(folders: bool) -> Tool:
    return Tool(
        name="locate",
        title="Find a thing in an image",
        description="Search an image, however large, for a thing, however small. Gives its boxes "
        "in pixels with their scores, and shows a crop around each. Use it before you answer about "
        "anything that is too small to see.",
        input_schema=_input(
            folders,
            target={
                "type": "string",
                "description": 'what to look for, in a few words: "the red boat"',
            },
        ),
        output_schema=_SEARCH,
        annotations=_READS,
    )


def _zoom(folders: bool) -> Tool:
    return Tool(
        name="zoom",
        title="Look closely at a region",
        description="Show one region of an image at a readable size, at most 1024 pixels a side; "
        "tells the box that was cut and the scale it is shown at.",
        input_schema=_input(
            folders,
            box=_BOX
            | {
                "description": "[x0, y0, x1, y1] in pixels of the whole image; what reaches over "
                "its border is cut"
            },
        ),
        output_schema=_CROP
        | {
            "properties": _CROP["properties"] | {"image_size": _SIZE},  # type: ignore[operator]
        },
        annotations=_READS,
    )


def _ask(folders: bool) -> Tool:
    return Tool(
        name="ask",
        title="Ask about an image",
        description="Answer a question about an image; what cannot be seen is searched for first. "
        "With options, the likeliest is chosen and each has a probability.",
        input_schema=_input(
            folders,
            question={"type": "string"},
            options={
                "type": "array",
                "items": {"type": "string"},
                "description": "answers to choose from; may be left out",
            },
        )
        | {"required": ["image", "question"]},
        output_schema={
            "type": "object",
            "properties": {
                "answer": {"type": "string"},
                "option": {"type": ["integer", "null"]},
                "probabilities": {"type": "array", "items": {"type": "number"}},
                "missing": {"type": "array", "items": {"type": "string"}},
                "searches": {"type": "array", "items": _SEARCH},
                "notes": _NOTES,
            },
            "required": ["answer", "missing", "searches"],
        },
        annotations=_READS,
    )


def _input(folders: bool, **properties: dict[str, Any]) -> dict[str, Any]:
    listed = {"image": _image(folders), **properties}
    return {
        "type": "object",
        "properties": listed,
        "required": list(listed),
        "additionalProperties": False,
    }
