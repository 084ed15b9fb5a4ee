"""Put a benchmark's questions to systems: predictions go to disk, numbers are made from those."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from PIL.Image import Image

from seal.evaluation.benchmark_images import BytesImages
from seal.evaluation.faults import Faults
from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.scorings.scoring import Wording
from seal.evaluation.shards import Shard
from seal.evaluation.shared_out import share_out
from seal.evaluation.shared_search import SUFFIX, Unit, batches, parted, units
from seal.evaluation.store import Key, PredictionStore, content_digest
from seal.evaluation.systems import Systems
from seal.evaluation.task import Prediction, Task, TaskQuestion
from seal.inference.answers.protocol import MAX_ANSWER_TOKENS
from seal.pipeline import Answer, Question
from seal.search.draw_map import map_cells

TARGET_SOURCES = ("model", "annotated")


class Benchmark:
    """One task and how it is put; what comes out goes to `folder`."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        *,
        protocol: str = "default",
        scoring: str = "likelihood",
        targets: str = "model",
        seed: int = 0,
        share_search: bool = False,
    ) -> None:
        """`scoring`: how questions are put and answers read.

        `share_search`: rows that put one question in several ways are searched for once.

        `targets`: who says what to search for, the VQA LLM or the annotation.

        The oracle always gets the annotated targets: it stands for a perfect search of the right
        things.
        """
        if targets not in TARGET_SOURCES:
            raise ValueError(f"targets={targets!r} is none of {', '.join(TARGET_SOURCES)}")
        self.task, self.folder = task, folder
        self.protocol, self.targets, self.seed = protocol, targets, seed
        self.scoring, self.share_search = scoring_named(scoring), share_search
        self._faults = Faults()

    def predict(
        self, systems: Systems, *, batch: int = 8, shard: Shard | None = None
    ) -> list[Prediction]:
        """Ask what has not been asked yet, `batch` questions at a time; returns all lines."""
        questions = self.task.questions()
        if not systems.reads_marks_as_letters:
            self._refuse_marks(questions)
        changed = 0

        def work(part: Sequence[TaskQuestion], store: PredictionStore) -> None:
            nonlocal changed
            changed += self._predict_part(part, systems, store)

        order: dict[Key, int] = {
            (question.id, name): number
            for number, (question, name) in enumerate(product(questions, systems.seals))
        }
        lines = share_out(
            self.folder,
            line_key,
            list(batches(questions, batch, self.share_search)),
            work,
            order,
            shard=shard or Shard(),
            title=self.task.name,
            unit="question",
        )
        if changed:
            print(
                f"{changed} answers were to questions or pictures that have changed since; they "
                "were asked anew",
                file=sys.stderr,
            )
        return lines

    def _refuse_marks(self, questions: Sequence[TaskQuestion]) -> None:
        """Before anything is asked, of questions that the answer model would not read as they are.

        Raises:
            ValueError: one contains a mark, with its id.
        """
        for question in questions:
            reads_losses = self.scoring.reads == "losses"
            options = question.options if reads_losses else ()
            texts = () if reads_losses else self._texts(question)
            try:
                Question(None, question.text, options, final_texts=texts).refuse_marks()
            except ValueError as error:
                raise ValueError(f"{self.task.name}, question {question.id}: {error}") from error

    def _predict_part(
        self, questions: Sequence[TaskQuestion], systems: Systems, store: PredictionStore
    ) -> int:
        """How many of the answers that were there answered something else."""
        pictures = dict.fromkeys(q.image for q in questions if q.image is not None)
        known = {name: self.task.images.digest(name) for name in pictures}  # each read once
        digests = {q.id: "none" if q.image is None else known[q.image] for q in questions}
        contents = {q.id: content_digest(q.to_dict(), digests[q.id]) for q in questions}
        asked = {
            (q.id, name): systems.asked(name, contents[q.id])
            for q in questions
            for name in systems.seals
        }
        open_: dict[str, list[TaskQuestion]] = {}
        for name in systems.seals:
            left = [q for q in questions if not store.has((q.id, name), asked[q.id, name])]
            if left:
                open_[name] = left
        if not open_:
            return 0
        changed = sum(
            store.changed((q.id, name), asked[q.id, name]) for name, qs in open_.items() for q in qs
        )
        images, errors = self._open(questions)
        for question in questions:
            if question.image is not None and question.image in images:
                systems.known.tell(images[question.image], question.text, question.targets)
        lines: list[Prediction] = []
        for name, new in open_.items():
            whole = [q for q in new if q.image not in errors]
            put = units(whole, self.share_search)
            asking = [self._put(unit, systems.search_of(name), images) for unit in put]
            said = systems.seals[name].ask_many(asking) if put else []
            self._faults.check(
                [result for answer in said for result in answer.searches],
                len(
                    {
                        unit[0].image
                        for unit, answer in zip(put, said, strict=True)
                        if answer.searches
                    }
                ),
            )
            answers = [
                own
                for unit, answer in zip(put, said, strict=True)
                for own in parted(answer, unit, [self._texts(row) for row in unit])
            ]
            lines += [
                self._line(
                    systems,
                    self._known(q, digests),
                    name,
                    None if answer.error else answer,
                    answer.error,
                )
                | {"asked": asked[q.id, name]}
                for q, answer in zip(whole, answers, strict=True)
            ]
            lines += [
                self._line(systems, self._known(q, digests), name, None, errors[q.image])
                | {"asked": asked[q.id, name]}
                for q in new
                if q.image is not None and q.image in errors
            ]
        # Of all systems at once: a system finds what those before it saw, which may decide the last
        # bit of a number, so that one killed between two of them must begin with the first again.
        store.add(lines)
        systems.forget(images.values())
        return changed

    def _known(self, question: TaskQuestion, digests: Mapping[str, str]) -> TaskQuestion:
        """Tables hold a picture again for each of its questions, under as many names."""
        named = question.picture or question.image is None
        if named or not isinstance(self.task.images, BytesImages):
            return question
        return replace(question, picture=digests[question.id])

    def _open(self, questions: Sequence[TaskQuestion]) -> tuple[dict[str, Image], dict[str, str]]:
        """Images by path, each once; a damaged one is an error of its questions, not of the run."""
        images: dict[str, Image] = {}
        errors: dict[str, str] = {}
        for path in dict.fromkeys(q.image for q in questions if q.image is not None):
            try:
                images[path] = self.task.images.open(path)
            except ValueError as error:
                errors[path] = str(error)
        return images, errors

    def _put(self, unit: Unit, search: str, images: Mapping[str, Image]) -> Question:
        question, named = unit[0], None
        if search == "oracle" or (self.targets == "annotated" and search != "none"):
            named = tuple(target.name for target in question.targets)
        reads_losses = self.scoring.reads == "losses"
        texts = tuple(text for row in unit for text in self._texts(row))
        return Question(
            image=images[question.image] if question.image is not None else None,
            text=question.text,
            options=question.options if reads_losses else (),
            targets=named,
            # A question that is put as it stands need not be put again where nothing was searched.
            final_texts=() if {*texts} == {question.text} else texts,
            max_new_tokens=(MAX_ANSWER_TOKENS if reads_losses else self.scoring.max_new_tokens),
        )

    def _wordings(self, question: TaskQuestion) -> list[Wording]:
        return self.scoring.wordings(question, self.seed)

    def _texts(self, question: TaskQuestion) -> tuple[str, ...]:
        return tuple(wording.text for wording in self._wordings(question))

    def _line(
        self,
        systems: Systems,
        question: TaskQuestion,
        system: str,
        answer: Answer | None,
        error: str | None = None,
    ) -> Prediction:
        """Everything that a score, or a look at what went wrong, can need."""
        prompt = None
        if answer is not None and answer.memory is not None:
            prompt = systems.prompt(answer.memory)
        return {
            "id": question.id,
            "system": system,
            "task": self.task.name,
            "task_version": self.task.version,
            **systems.controlled(system),
            "protocol": self.protocol,
            "scoring": self.scoring.name + (SUFFIX if self.share_search else ""),
            "presented": [list(w.order) for w in self._wordings(question)] or None,
            "question": question.to_dict(),
            "prompt": prompt,
            "answer": None if answer is None else _kept(answer),
            "error": error,
        }


def _kept(answer: Answer) -> dict[str, Any]:
    """With ViCrop's map, all there is to see of how it looked; a search has its regions."""
    return answer.to_dict(heat_cells=max(map(map_cells, answer.searches), default=0))


def line_key(line: Prediction) -> Key:
    """Which question was put to which system."""
    return line["id"], line["system"]
