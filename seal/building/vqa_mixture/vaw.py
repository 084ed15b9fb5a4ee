"""VAW attribute annotations to questions about one object of a Visual Genome image."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seal.building.erasure.filter import POLYGONS, SHORT_ANSWER, ErasureConfig
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import box_inside, given
from seal.building.formats.image_lookup import ImageFiles
from seal.building.language import LanguageConfig, Template
from seal.building.language.reserved_marks import mark_in
from seal.building.language.unwritten_records import Draft, Prompt
from seal.building.records.source_files import require_file, require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome
from seal.building.records.written_set import build_written_set
from seal.building.sources.photo_layouts import visual_genome_places
from seal.building.vqa_mixture.attribute_sentences import (
    CHOICE,
    CLOSED,
    NO,
    OPEN,
    OPEN_FORMS,
    YES,
    Asked,
    is_plural,
    open_value,
    write_turn,
)
from seal.building.vqa_mixture.crop_conversations import focused_conversation
from seal.building.vqa_mixture.gqa import full_sentence
from seal.building.vqa_mixture.vaw_files import AttributedObject, VawIndex, read_types
from seal.data.record_set import Record, RecordSet, RecordTarget

TASK = "vaw question"
SYSTEM = (
    "You write one question about one object in a picture, and its answer as one full sentence. "
    "Name the object as it is given. An open question must not give its answer away; a choice "
    "names both values; yes and no questions are answered beginning with Yes or No. Reply with "
    'JSON: {"question": "...", "answer": "..."}'
)
KINDS = (OPEN, CHOICE, YES, NO)


@dataclass(kw_only=True, slots=True)
class VawBuildConfig(BuildConfig):
    """`annotations` is a list of instances; `images` the folder above VG_100K and VG_100K_2."""

    attribute_types: str  # VAW's attribute_types.json: the attributes of every type
    also: list[str] = field(default_factory=list)  # further files of the split: train_part2.json
    source: str = "vaw"  # goes into ids and records
    license: str = "Adobe Research License (non-commercial)"  # of the annotations
    max_questions: int = 2  # about one image, each about another object
    types: list[str] = field(default_factory=lambda: [*OPEN_FORMS, *CLOSED])  # that are asked for
    kinds: list[str] = field(default_factory=lambda: list(KINDS))  # of questions
    min_side: float = 12.0  # pixels of the object's shorter side
    language: LanguageConfig = field(default_factory=LanguageConfig)
    erasure: ErasureConfig = field(default_factory=ErasureConfig)

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)
        if self.max_questions < 1 or self.min_side < 0:
            raise ValueError(
                f"max_questions={self.max_questions} must be >= 1, min_side={self.min_side} >= 0"
            )
        for name, known in (("types", (*OPEN_FORMS, *CLOSED)), ("kinds", KINDS)):
            chosen = getattr(self, name)
            if not chosen or not set(chosen) <= set(known):
                raise ValueError(f"{name}={list(chosen)} must be some of {', '.join(known)}")


class VawMaker:
    """Makes the drafts of one image."""

    def __init__(
        self, config: VawBuildConfig, index: VawIndex, types: dict[str, frozenset[str]]
    ) -> None:
        self.config = config
        self.index = index
        self.types = types
        self.files = ImageFiles(config.images, drop_folders=False)

    def __call__(self, row: int) -> Outcome:
        counts: Counter[str] = Counter()
        things = self._unambiguous(row, counts)
        rng = np.random.default_rng((self.config.seed, row))
        asked: list[tuple[AttributedObject, Asked]] = []
        for place in rng.permutation(len(things)):
            if len(asked) == self.config.max_questions:
                break
            choices = askable(things[place], self.types, self.config.kinds)
            if not choices:
                counts["object without an attribute to ask for"] += 1
                continue
            kinds = sorted({choice.kind for choice in choices})
            kind = kinds[int(rng.integers(len(kinds)))]
            choices = [choice for choice in choices if choice.kind == kind]
            asked.append((things[place], choices[int(rng.integers(len(choices)))]))
        outcome = Outcome(counts=counts)
        if asked:
            outcome.drafts = self._drafts(self.index.images[row], asked, counts)
        return outcome

    def _unambiguous(self, row: int, counts: Counter[str]) -> list[AttributedObject]:
        """The objects whose name no other annotated object of the image shares."""
        things = []
        for where, entry in self.index.read(row):
            if given(entry.get("instance_bbox")) is None:
                counts["object without a box"] += 1
                continue
            with ErrorsAt(where, "not an instance"):
                things.append(AttributedObject.from_entry(entry))
        heads = Counter(_head(thing.name) for thing in things)
        alone = [thing for thing in things if thing.name and heads[_head(thing.name)] == 1]
        counts["object that shares its name"] += len(things) - len(alone)
        return alone

    def _drafts(
        self, image: str, asked: list[tuple[AttributedObject, Asked]], counts: Counter[str]
    ) -> list[Draft]:
        file = self.files.look(visual_genome_places(f"{image}.jpg"), None)
        if isinstance(file, str):
            counts[file] += 1
            return []
        drafts = []
        for thing, question in asked:
            box = box_inside(thing.xywh, file.width, file.height)
            if box is None:
                counts["box without area or outside the image"] += 1
            elif min(box.width, box.height) < self.config.min_side:
                counts["object under min_side"] += 1
            else:
                fields = {
                    "id": f"{self.config.source}-{image}-{thing.source_id}",
                    "source": self.config.source,
                    "license": self.config.license,
                    "image": file.name,
                    "width": file.width,
                    "height": file.height,
                    "targets": (RecordTarget(thing.name, box),),
                }
                drafts.append(self._draft(fields, image, thing, question))
        return drafts

    def _draft(
        self, fields: dict[str, Any], image: str, thing: AttributedObject, asked: Asked
    ) -> Draft:
        facts = {
            **asdict(asked),
            "name": thing.name,
            "plural": is_plural(thing.name),
            "short": asked.short_answer,
        }
        meta: dict[str, Any] = {
            "image_id": image,
            "instance_id": thing.source_id,
            "attribute_type": asked.type,
            "kind": asked.kind,
            SHORT_ANSWER: asked.short_answer,
        }
        if self.config.erasure.mask == "polygon" and thing.polygons:
            meta[POLYGONS] = thing.polygons
        return Draft(
            prompt=Prompt(task=TASK, system=SYSTEM, user=_request(thing.name, asked), facts=facts),
            fields={**fields, "meta": meta},
        )


def askable(
    thing: AttributedObject, types: dict[str, frozenset[str]], kinds: Sequence[str]
) -> list[Asked]:
    """Every question that the annotations of an object answer.

    Open and yes questions rest on positive attributes alone, no questions on negative ones, and a
    choice takes one of each. An attribute that the name already tells is not asked for.
    """
    named = set(thing.name.split())
    found = []
    for type_, members in types.items():
        positive = [a for a in thing.positive if a in members and not named & set(a.split())]
        negative = [a for a in thing.negative if a in members and a not in thing.positive]
        exact = [a for a in positive if not any(b != a and b.endswith(f" {a}") for b in positive)]
        if 1 <= len(exact) <= 2 and all(open_value(type_, a) for a in exact):
            found.append(Asked(OPEN, type_, tuple(exact)))
        found += [Asked(CHOICE, type_, (a,), b) for a in exact for b in negative if not _near(a, b)]
        found += [Asked(YES, type_, (a,)) for a in exact]
        found += [Asked(NO, type_, (b,)) for b in negative]
    return [asked for asked in found if asked.kind in kinds]


def _near(a: str, b: str) -> bool:
    """Whether two values share a word: `light blue` or `blue` is no choice."""
    return bool(set(a.split()) & set(b.split()))


def _head(name: str) -> str:
    """What a thing is: the last word of its name, in the singular."""
    from textblob.en.inflect import singularize  # takes a second to load

    return str(singularize(name.split()[-1])) if name else ""


def _request(name: str, asked: Asked) -> str:
    """What a language model is told."""
    value = " and ".join(asked.values)
    task = {
        OPEN: f"Ask an open question about its {asked.type}. Its {asked.type}: {value}. "
        f"The answer must hold: {asked.short_answer}",
        CHOICE: f"Ask whether it is {value} or {asked.other}. It is {value}.",
        YES: f"Ask whether it is {value}. The answer is yes.",
        NO: f"Ask whether it is {value}. The answer is no.",
    }[asked.kind]
    return f"Object: {name}\n{task}"


def write_vaw(facts: dict[str, Any], rng: np.random.Generator) -> str:
    """What templates write: the reply that a language model is asked for."""
    question, answer = write_turn(facts, rng)
    return json.dumps({"question": question, "answer": answer})


TEMPLATES: dict[str, Template] = {TASK: write_vaw}


def finish_vaw(draft: Draft, answer: str) -> Record:
    """The record of a draft.

    Raises:
        ValueError: the reply is not JSON, or question or answer do not fit the annotation.
    """
    fields = draft.fields
    facts = draft.prompt.facts
    try:
        reply = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
        question, sentence = " ".join(reply["question"].split()), reply["answer"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("it must be JSON with a question and an answer") from error
    if not question.endswith("?") or f" {facts['name']}" not in question.lower():
        raise ValueError(f"the question must end with ? and name the {facts['name']}")
    if mark_in(question) is not None:
        raise ValueError("the question must hold no mark of a chat format")
    words = set(question.lower().strip("?").split())
    if facts["kind"] == OPEN and any(set(value.split()) <= words for value in facts["values"]):
        raise ValueError("the question must not give its answer away")
    turn = question, full_sentence(sentence, facts["short"])
    return Record(**fields, conversations=focused_conversation([turn], 1))


def build_vaw(config: VawBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(
        config.images, annotations=config.annotations, attribute_types=config.attribute_types
    )
    for path in config.also:
        require_file("also", path)
    types = read_types(Path(config.attribute_types), config.types)
    model = config.language.build(TEMPLATES)
    keep = config.erasure.build(config.images)
    index = VawIndex([Path(config.annotations), *map(Path, config.also)])
    settings = source_settings(
        config,
        "source",
        "license",
        "max_questions",
        "min_side",
        files=("annotations", "attribute_types", "also"),
    )
    settings |= {
        "types": list(config.types),
        "kinds": list(config.kinds),
        "erasure": config.erasure.settings(),
    }
    return build_written_set(
        config,
        VawMaker(config, index, types),
        len(index),
        builder="vaw",
        settings=settings,
        model=model,
        finish=finish_vaw,
        keep=keep,
    )
