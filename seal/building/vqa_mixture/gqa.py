"""GQA questions and scene graphs to records: the objects of a question are its crops."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seal.building.erasure.filter import SHORT_ANSWER, ErasureConfig, says
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import box_inside, id_text, image_size, name_text, text
from seal.building.formats.image_lookup import ImageFiles, Unusable
from seal.building.formats.json_members import KeyedMembers, MemberIndex
from seal.building.language import LanguageConfig, Template
from seal.building.language.class_names import mentions
from seal.building.language.reserved_marks import mark_in
from seal.building.language.unwritten_records import Draft, Prompt
from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome
from seal.building.records.written_set import build_written_set
from seal.building.vqa_mixture.crop_conversations import focused_conversation
from seal.data.record_set import Record, RecordSet, RecordTarget
from seal.text.tokens import IMAGE_PLACEHOLDER

TASK = "gqa sentence"
SYSTEM = (
    "You turn the short answer to a question about a picture into one full sentence. Use the words "
    "of the short answer, and say nothing that the question and the short answer do not say. If "
    "the short answer is yes or no, begin with Yes or No. Write the sentence and nothing else."
)
LONGEST = 40  # words of a sentence


@dataclass(kw_only=True, slots=True)
class GqaBuildConfig(BuildConfig):
    """`annotations` is a questions file of GQA: an object of questions by id."""

    scene_graphs: str  # the scene graphs of the same split: an object of graphs by image id
    source: str = "gqa"  # goes into ids and records
    license: str = "CC BY 4.0"  # of GQA's annotations
    image_suffix: str = ".jpg"  # an image's file is its id with this
    shuffle: bool = True  # read the questions in a drawn order, so that `limit` is a fair sample
    answer_objects: bool = False  # objects that only the answer names are targets, too
    max_targets: int = 3  # the layout of training has room for three crops
    min_side: float = 8.0  # pixels of a target's shorter side
    language: LanguageConfig = field(default_factory=LanguageConfig)
    erasure: ErasureConfig = field(default_factory=ErasureConfig)

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)
        if self.max_targets < 1 or self.min_side < 0:
            raise ValueError(
                f"max_targets={self.max_targets} must be >= 1, min_side={self.min_side} >= 0"
            )


class GqaMaker:
    """Makes the draft of one question."""

    def __init__(
        self, config: GqaBuildConfig, questions: MemberIndex, graphs: KeyedMembers
    ) -> None:
        self.config = config
        self.questions = questions
        self.graphs = graphs
        self.files = ImageFiles(config.images, drop_folders=False)
        self.order = np.arange(len(questions))
        if config.shuffle:
            np.random.default_rng(config.seed).shuffle(self.order)

    def __call__(self, item: int) -> Outcome:
        row = int(self.order[item])
        name, entry = self.questions.read(row)
        with ErrorsAt(self.questions.where(row), "not a question"):
            image, question = id_text(entry["imageId"]), text(entry["question"], "question").strip()
            objects = asked_objects(entry, with_answer=self.config.answer_objects)
            answer = text(entry.get("answer") or "", "answer").strip()
            full_answer = text(entry.get("fullAnswer") or "", "fullAnswer")
        outcome = Outcome()
        if not question or not answer:
            outcome.counts["question without text or answer"] = 1
        elif not objects:
            outcome.counts["question without annotated objects"] = 1
        elif len(objects) > self.config.max_targets:
            outcome.counts["question about more than max_targets objects"] = 1
        elif (graph := self.graphs.read(image)) is None:
            where = f"image {image} in {self.config.scene_graphs}"
            outcome.counts[Unusable("image without a scene graph", where)] = 1
        else:
            with ErrorsAt(self.graphs.where(image), "not a graph"):
                found = self._targets(graph, objects)
                size = image_size(graph)
            if isinstance(found, str):
                outcome.counts[found] = 1
            elif not self.config.answer_objects and any(
                tells_answer(target.name, question, answer) for target in found
            ):
                outcome.counts["question about an object whose name is its answer"] = 1
            elif isinstance(
                file := self.files.look([f"{image}{self.config.image_suffix}"], size), str
            ):
                outcome.counts[file] = 1
            else:
                outcome.drafts.append(
                    Draft(
                        prompt=Prompt(
                            task=TASK,
                            system=SYSTEM,
                            user=f"Question: {question}\nShort answer: {answer}",
                            facts={"full_answer": full_answer},
                        ),
                        fields={
                            "id": f"{self.config.source}-{name}",
                            "source": self.config.source,
                            "license": self.config.license,
                            "image": file.name,
                            "width": size[0],
                            "height": size[1],
                            "targets": found,
                            "question": question,
                            "meta": {
                                "question_id": name,
                                "image_id": image,
                                "object_ids": objects,
                                SHORT_ANSWER: answer,
                            },
                        },
                    )
                )
        return outcome

    def _targets(self, graph: dict[str, Any], objects: list[str]) -> tuple[RecordTarget, ...] | str:
        """The objects' boxes, or why the question is dropped."""
        width, height = image_size(graph)
        known = {str(key): value for key, value in graph["objects"].items()}
        targets = []
        for name in objects:
            if name not in known:
                return "question about an object not in the scene graph"
            thing = known[name]
            box = box_inside(
                [thing[key] for key in ("x", "y", "w", "h")], width, height, "x, y, w, h"
            )
            if box is None:
                return "question about a box without area"
            if min(box.width, box.height) < self.config.min_side:
                return "question about an object under min_side"
            targets.append(RecordTarget(name_text(thing["name"], "name"), box))
        return tuple(targets)


def asked_objects(entry: dict[str, Any], *, with_answer: bool) -> list[str]:
    """Ids of the scene-graph objects that a question speaks of, each once.

    In the order of the question, then of the full answer: spans like "3" or "2:4" say where each
    is named. An object that the short answer names, and the question does not, is what is asked
    for: a crop under its name would give the answer away, and nobody could have searched for it.
    """
    sides = entry.get("annotations") or {}
    named = {
        side: _by_place(sides.get(side) or {}) for side in ("question", "fullAnswer", "answer")
    }
    found = dict.fromkeys(named["question"])
    revealed = () if with_answer else named["answer"]
    found |= dict.fromkeys(n for n in named["fullAnswer"] if n in found or n not in revealed)
    if with_answer:
        found |= dict.fromkeys(named["answer"])
    return list(found)


def _by_place(spans: dict[str, Any]) -> list[str]:
    """Object ids in the order of the tokens they stand at."""
    places = sorted(spans, key=lambda span: [int(number) for number in span.split(":")])
    return [id_text(spans[place]) for place in places]


def tells_answer(name: str, question: str, answer: str) -> bool:
    """Whether a target called `name` gives the short answer away.

    The scene graph may call a zebra what the question calls an animal.
    """
    return not mentions(question, [name]) and (says(answer, name) or says(name, answer))


def write_sentence(facts: dict[str, Any], rng: np.random.Generator) -> str:
    """GQA's own full answer: what templates write."""
    return str(facts["full_answer"])


TEMPLATES: dict[str, Template] = {TASK: write_sentence}


def finish_gqa(draft: Draft, answer: str) -> Record:
    """The record of a draft.

    Raises:
        ValueError: the sentence is none, or does not say what the short answer says.
    """
    fields = dict(draft.fields)
    short = fields["meta"][SHORT_ANSWER]
    turn = fields.pop("question"), full_sentence(answer, short)
    return Record(**fields, conversations=focused_conversation([turn], len(fields["targets"])))


def full_sentence(text: str, short: str) -> str:
    """`text` with a capital and a period, if it is one line that gives the short answer.

    Raises:
        ValueError: it is not; the message is fit for a model that is to try again.
    """
    text = text.strip().strip('"').strip()
    if not text or "\n" in text:
        raise ValueError("it must be one sentence on one line")
    if IMAGE_PLACEHOLDER in text or mark_in(text) is not None:
        raise ValueError("it must hold no placeholder and no mark of a chat format")
    if not 2 <= len(text.split()) <= LONGEST:
        raise ValueError(f"it must have 2 to {LONGEST} words")
    if not says(text, short):
        raise ValueError(f"it must give the short answer {short!r} in these words")
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!" else f"{text}."


def build_gqa(config: GqaBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(config.images, annotations=config.annotations, scene_graphs=config.scene_graphs)
    model = config.language.build(TEMPLATES)
    keep = config.erasure.build(config.images)
    questions = MemberIndex(Path(config.annotations))
    graphs = KeyedMembers(Path(config.scene_graphs))
    settings = source_settings(
        config,
        "source",
        "license",
        "image_suffix",
        "shuffle",
        "answer_objects",
        "max_targets",
        "min_side",
        files=("annotations", "scene_graphs"),
    )
    settings["erasure"] = config.erasure.settings()
    return build_written_set(
        config,
        GqaMaker(config, questions, graphs),
        len(questions),
        builder="gqa",
        settings=settings,
        model=model,
        finish=finish_gqa,
        keep=keep,
    )
