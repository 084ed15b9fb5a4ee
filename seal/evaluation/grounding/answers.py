"""Put referring expressions to a guide: one look at the whole image each, or a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from seal.data.masks import mask_to_rle
from seal.evaluation.faults import Faults
from seal.evaluation.grounding.referred import GroundingSet, Referred
from seal.evaluation.shards import Shard
from seal.evaluation.shared_out import in_batches, share_out
from seal.evaluation.store import PredictionStore, content_digest
from seal.evaluation.task import Prediction
from seal.geometry import Box
from seal.search.locator import LocateRequest, Locator
from seal.search.protocol import Detections, Heat, Patch, Query, SearchModel, target_heats
from seal.search.result import SearchResult

TASK, VERSION = "grounding", "1"


class GroundedExpressions:
    """Answers what has not been answered yet, an image's expressions together."""

    def __init__(
        self,
        found: GroundingSet,
        folder: Path,
        model: SearchModel,
        *,
        locator: Locator | None = None,
        masks: bool = False,
    ) -> None:
        """`locator`: searches with `model`; None: it looks at the whole image once.

        `masks`: its heat is that of mask logits, above 0 where the thing is, as those of SEAL's
        search model are.
        """
        assert not (masks and locator), "a search looks at parts: it gives no mask of the image"
        self.found, self.folder, self.model = found, folder, model
        self.locator, self.masks = locator, masks
        self._faults = Faults()

    def predict(self, *, batch: int = 8, shard: Shard | None = None) -> list[Prediction]:
        """All lines, on the first process; `batch` images at a time."""
        by_image: dict[str, list[Referred]] = {}
        for item in self.found.items:
            by_image.setdefault(item.image, []).append(item)

        def work(part: Sequence[str], store: PredictionStore) -> None:
            self._answer_part({image: by_image[image] for image in part}, store)

        return share_out(
            self.folder,
            grounding_key,
            in_batches(list(by_image), batch),
            work,
            {(item.id,): i for i, item in enumerate(self.found.items)},
            shard=shard or Shard(),
            title=TASK,
            unit="image",
        )

    def _answer_part(self, part: dict[str, list[Referred]], store: PredictionStore) -> None:
        asked: dict[str, str] = {}
        wanted: list[tuple[Referred, Image]] = []
        opened: list[Image] = []
        lines: list[Prediction] = []
        for name, items in part.items():
            digest = self.found.images.digest(name)
            asked |= {item.id: content_digest(item.to_dict(), digest) for item in items}
            new = [item for item in items if not store.has((item.id,), asked[item.id])]
            if not new:
                continue
            try:
                image = self.found.images.open(name)
                opened.append(image)
                _check_size(image, new[0])
            except ValueError as error:
                lines += [self._line(item, None, str(error)) for item in new]
                continue
            wanted += [(item, image) for item in new]
        answers: Sequence[dict[str, Any] | str]
        answers = self._look(wanted) if self.locator is None else self._search(wanted)
        for (item, _), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, str):
                lines.append(self._line(item, None, answer))
            else:
                lines.append(self._line(item, answer))
        store.add(line | {"asked": asked[line["id"]]} for line in lines)
        for image in opened:
            # Only a network keeps crops; other search models have nothing to forget.
            forget = getattr(self.model, "forget", None)
            if forget is not None:
                forget(image)

    def _look(self, wanted: Sequence[tuple[Referred, Image]]) -> list[dict[str, Any]]:
        queries = [
            Query("detect", Patch(image, Box(0, 0, *image.size)), item.text)
            for item, image in wanted
        ]
        found: Sequence[Detections] = self.model.detect(queries) if queries else []
        heats = [each.heat for each in found]
        late = [i for i, heat in enumerate(heats) if heat is None and self.masks]
        if late:
            asked = [replace(queries[i], kind="target_heat") for i in late]
            for i, heat in zip(late, target_heats(self.model, asked), strict=True):
                heats[i] = heat
        return [self._seen(each, heat) for each, heat in zip(found, heats, strict=True)]

    def _seen(self, found: Detections, heat: Heat | None) -> dict[str, Any]:
        best = int(found.scores.argmax()) if len(found.scores) else None
        answer: dict[str, Any] = {
            "box": None if best is None else [float(edge) for edge in found.boxes[best]],
            "score": 0.0 if best is None else float(found.scores[best]),
            "mask": None,
        }
        if self.masks:
            assert heat is not None  # whoever asks for masks has a guide that gives them
            answer["mask"] = mask_to_rle(heat.to_numpy() > 0)
        return answer

    def _search(self, wanted: Sequence[tuple[Referred, Image]]) -> list[dict[str, Any] | str]:
        """What each search brought, or why it failed."""
        assert self.locator is not None
        results = self.locator.locate([LocateRequest(image, item.text) for item, image in wanted])
        self._faults.check(results, len({id(image) for _, image in wanted}))
        return [result.error or _searched(result) for result in results]

    def _line(
        self, item: Referred, answer: dict[str, Any] | None, error: str | None = None
    ) -> Prediction:
        return {
            "id": item.id,
            "task": TASK,
            "task_version": VERSION,
            "masks": self.masks,
            "referred": item.to_dict(),
            "answer": answer,
            "error": error,
        }


def grounding_key(line: Prediction) -> tuple[str, ...]:
    """Which expression was put."""
    return (line["id"],)


def _searched(result: SearchResult) -> dict[str, Any]:
    """The best box a search saw, accepted or not: something is meant, and one box is scored."""
    box = result.best_box
    return {
        "box": None if box is None else [box.x0, box.y0, box.x1, box.y1],
        "score": result.best_score,
        "mask": None,
        "found": result.found,
        "steps": result.num_steps,
        "visits": len(result.path),
        "calls": dict(result.calls),
    }


def _check_size(image: Image, item: Referred) -> None:
    if item.size is not None and image.size != item.size:
        raise ValueError(
            f"{item.image} has {image.size[0]} x {image.size[1]} pixels, what is marked in it is "
            f"of {item.size[0]} x {item.size[1]}"
        )
