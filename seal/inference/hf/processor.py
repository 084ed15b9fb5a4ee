"""A model's processor, without what only videos need.

`AutoProcessor` cannot be had without torchvision where a processor also takes videos, and takes
another image backend where torchvision is installed. Here pictures always go through PIL and
NumPy, so that one picture gives the same pixels on every machine.
"""

from __future__ import annotations

from typing import Any

from transformers import AutoFeatureExtractor, AutoProcessor

# From its file: in transformers 5.15 the name in the package wants torchvision, the class does not.
from transformers.models.auto.image_processing_auto import AutoImageProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

_PARTS = ("image_processor", "video_processor", "feature_extractor")


class NoVideos(dict[str, Any]):
    """Stands where a processor wants one for videos, which nobody shows it; empty when written."""

    num_frames = fps = valid_kwargs = None


def load_processor(name: str, config: Any, *, trust_remote_code: bool, revision: str | None) -> Any:
    """The processor of the model `name` (folder or hub id).

    Raises:
        OSError, ValueError, ImportError: as of transformers; `load_hf` says them in a line.
    """
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code, "revision": revision}
    kind: Any = PROCESSOR_MAPPING.get(type(config), None)
    parts = kind.get_attributes() if kind is not None else ()
    known = all(part in _PARTS or "tokenizer" in part for part in parts)
    if kind is None or not parts or not known:
        return AutoProcessor.from_pretrained(name, **options)
    stored, rest = kind.get_processor_dict(name, **options)
    values = [_part(kind, part, name, options) for part in parts]
    return still(kind).from_args_and_dict(values, stored, **rest)


def _part(kind: Any, part: str, name: str, options: dict[str, Any]) -> Any:
    if part == "video_processor":
        return NoVideos()
    if part == "image_processor":
        return AutoImageProcessor.from_pretrained(name, backend="pil", **options)
    if part == "feature_extractor":  # of sound
        return AutoFeatureExtractor.from_pretrained(name, **options)
    return kind._load_tokenizer_from_pretrained(part, name, **options)


def still(kind: Any) -> Any:
    """The same class of processor, content with `NoVideos`; its name stays, libraries read it."""

    def check_argument_for_proper_class(self: Any, name: str, argument: Any) -> Any:
        if isinstance(argument, NoVideos):
            return NoVideos
        return kind.check_argument_for_proper_class(self, name, argument)

    own = {"check_argument_for_proper_class": check_argument_for_proper_class}
    return type(kind.__name__, (kind,), own)
