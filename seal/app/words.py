"""What the page says of a search, in plain sentences; text, not HTML."""

from __future__ import annotations

from seal.app.steps import Step
from seal.app.walks import Walk
from seal.geometry import Box
from seal.search.result import SearchResult

UNSEEN = 0.1  # a best box of less confidence is none to speak of
# What the words of the page mean, for whoever has not read the paper.
GLOSSARY = {
    "region": "A part of the picture that the model looks at by itself, as if it zoomed in. A "
    "search begins with the whole picture and goes on with parts of parts.",
    "confidence": "How sure the model is that its best box holds the target, from 0 to 1.",
    "heat": "Where in a region the target may be. The warmer, the sooner that part is looked at.",
    "target cue": "Heat where something looks like the target itself, though not surely enough.",
    "contextual cue": "Where the model says that such a thing would be, as in “on the table”. "
    "It is asked where nothing looks like the target.",
    "working memory": "What the model is given for its last answer: the question, the whole "
    "picture, and a crop of everything that was found.",
}


def place_of(box: Box) -> str:
    """As in `24 x 18 pixels at (93, 436)`."""
    return f"{box.width:.0f} x {box.height:.0f} pixels at ({box.x0:.0f}, {box.y0:.0f})"


def looks(count: int) -> str:
    return f"{count} region{'' if count == 1 else 's'}"


def step_said(step: Step, target: str) -> str:
    """One visit: which region, what was seen, and what guides the search on from here."""
    where = (
        "The whole picture" if step.depth == 1 else f"Region {step.number}, {place_of(step.box)}"
    )
    parts = [f"{where}: {_seen(step, target)}."]
    if step.cue_kind == "contextual" and step.phrase:
        parts.append(f"Contextual cue: the model would expect it at “{step.phrase}”.")
    elif step.cue_kind == "target":
        parts.append("Target cue: something here looks a little like it.")
    if step.parts and (share := max(share for _, share in step.parts)) > 0:
        parts.append(f"{share:.0%} of the heat is in one part of it.")
    return " ".join(parts)


def _seen(step: Step, target: str) -> str:
    sure = ", ".join(f"{kind} {value:.2f}" for kind, value in sorted(step.sure.items()))
    if step.best_box is None or step.confidence < UNSEEN:
        told = f"no {target} is seen" if target else "nothing is boxed"
        told = f"{told} (confidence {step.confidence:.2f})" if step.best_box else told
    else:
        told = f"the best box has confidence {step.confidence:.2f}"
    return f"{told}, {sure}" if sure else told


def verdict(walk: Walk) -> str:
    """What a search came to."""
    result = walk.result
    if result is None:
        return f"Searching for the {walk.name}: {looks(len(walk.steps))} so far."
    told = _verdict(result)
    visits = f"{looks(len(result.path))} looked at"
    if result.stopped_early is not None:
        visits += f", ended by the budget of {result.stopped_early}"
    return f"{walk.name[:1].upper()}{walk.name[1:]}: {told} ({visits})."


def _verdict(result: SearchResult) -> str:
    if result.error is not None:
        return f"the search failed: {result.error.splitlines()[0]}"
    if result.settled:
        return "not searched for, since the whole picture answers the question"
    if not result.found:
        if result.best_box is None:
            return "not found"
        return f"not found; the best guess has confidence {result.best_score:.2f}"
    if len(result.boxes) > 1:
        return f"{len(result.boxes)} found"
    if not result.scores:
        return "found"
    return f"found, {place_of(result.boxes[0])}, confidence {result.scores[0]:.2f}"
