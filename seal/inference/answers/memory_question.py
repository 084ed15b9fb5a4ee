"""The question the VQA LLM is put, from what is in its visual working memory."""

from __future__ import annotations

from seal.text.prompts import focused_question, missing_phrase, object_phrase
from seal.text.quote import quoted
from seal.text.tokens import IMAGE_PLACEHOLDER
from seal.working_memory import VisualWorkingMemory

UNNAMED = "part of the image"  # a region that was found for the question, not for a name


def memory_question(memory: VisualWorkingMemory) -> str:
    """The image, what the search brought back or did not find, and the question."""
    if memory.image is None:
        if memory.num_crops:
            raise ValueError(
                f"{quoted(memory.question)}: crops of "
                f"{quoted([t.name for t in memory.targets if t.boxes])} "
                "need the image they are cut from"
            )
        return focused_question([missing_phrase(t.name) for t in memory.targets], memory.question)
    phrases = []
    for target in memory.targets:
        if not target.boxes:
            phrases.append(missing_phrase(target.name))
        name = target.name or UNNAMED
        places = [memory.told_place(box) for box in target.boxes]
        phrases += [object_phrase(name, place, *memory.image.size) for place in places]
    return f"{IMAGE_PLACEHOLDER}\n{focused_question(phrases, memory.question)}"
