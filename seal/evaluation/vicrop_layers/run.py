"""Read the maps of all layers for annotated questions, a line each, and go on after a stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL.Image import Image
from tqdm import tqdm

from seal.evaluation.benchmark_images import BenchmarkImages
from seal.evaluation.environment import environment
from seal.evaluation.named_tasks import task_named
from seal.evaluation.shards import Shard
from seal.evaluation.store import (
    ENVIRONMENT,
    PredictionStore,
    content_digest,
    require_own_folder,
    settle,
    write_json,
)
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.spec import BenchmarkTask
from seal.evaluation.vicrop_layers.config import LayersRun
from seal.evaluation.vicrop_layers.report import (
    CHART,
    PAGE,
    draw_layers,
    layer_metrics,
    layers_table,
)
from seal.inference.model_kinds import answer_model_identity
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.coverage import chance, coverage
from seal.inference.vicrop.maps import general_floor, placed_maps
from seal.inference.vicrop.place import PlacedMap, joined, window_of
from seal.inference.vicrop.reader import AttentionReader, Look
from seal.inference.vicrop.short_question import short_question
from seal.inference.vicrop.tiles import tiling, wants_tiles
from seal.pages.measured import write_measured
from seal.pipeline import ProtocolConfig

VERSION = "1"
# Settings that change how a run is carried out, not one of its lines.
FREE = (
    "out", "benchmark", "vqa", "limit", "max_batch", "cache_mb", "device", "seed", "lookahead",
    "concurrency", "prepare", "graphs",
)  # fmt: skip


def run_layers(run: LayersRun) -> dict[str, Any]:
    """Read, judge and write predictions.jsonl, metrics.json, layers.html and .png.

    Returns the metrics.

    Raises:
        ValueError: the benchmark annotates no boxes, or the model cannot be read.
    """
    folder = Path(run.out)
    task = task_named("vstar_bench").task(run.benchmark, limit=run.limit)
    questions = annotated_questions(task)
    require_own_folder(folder, CHART, PAGE)
    weights = answer_model_identity(run.vqa, run.chat.revision)
    settle(folder, asdict(run) | {"weights": weights, "task_version": VERSION}, FREE)
    reader = open_reader(run)
    write_json(folder / ENVIRONMENT, environment(Shard().device(run.device)) | {"seed": run.seed})
    lines = calibrate(reader, questions, task.images, folder, run.vicrop_config())
    metrics = layer_metrics(lines, default=reader.layer, name=run.vqa, seed=run.seed)
    write_json(folder / "metrics.json", metrics)
    draw_layers(metrics, folder / CHART)
    write_measured(
        folder / PAGE,
        f"Layers of {run.vqa}",
        tables=[layers_table(metrics)],
        charts=[(folder / CHART, "How much of each layer's map lies in the annotated boxes.")],
    )
    return metrics


def annotated_questions(task: BenchmarkTask) -> list[TaskQuestion]:
    """The first questions of each split that have boxes to be looked at."""
    found = task.questions()
    kept = [q for q in found if any(target.boxes for target in q.targets)]
    if not kept:
        raise ValueError(f"{task.benchmark}: none of {len(found)} questions has an annotated box")
    return kept


def open_reader(run: LayersRun) -> AttentionReader:
    """The answer model, loaded, and what reads its attention."""
    from seal.inference.named_models import load_named
    from seal.inference.vicrop.build_reader import build_reader

    protocol = ProtocolConfig.named(run.protocol)
    answer_model, _ = load_named(
        run.vqa,
        None,
        no_search_image=protocol.no_search_image,
        token_policy=protocol.token_policy,
        chat=run.chat,
        **run.options(Shard()),
    )
    assert answer_model is not None
    return build_reader(answer_model, run.vicrop_config())


def calibrate(
    reader: AttentionReader,
    questions: Sequence[TaskQuestion],
    images: BenchmarkImages,
    folder: Path,
    config: ViCropConfig,
) -> list[Prediction]:
    """A line for each question; those that are in `folder` already are not read again."""
    store = PredictionStore(folder, _key)
    for question in tqdm(questions, desc="layers", unit="question"):
        assert question.image is not None  # the task refuses questions without
        asked = content_digest(question.to_dict(), images.digest(question.image))
        if store.has(_key({"id": question.id}), asked):
            continue
        line: Prediction = {"id": question.id, "asked": asked, "question": question.to_dict()}
        try:
            image = images.open(question.image)
        except ValueError as error:  # of one picture, not of the run
            store.add([line | {"error": str(error)}])
            continue
        store.add([line | {"error": None} | question_layers(reader, image, question, config)])
    return store.merge({(question.id,): i for i, question in enumerate(questions)})


def question_layers(
    reader: AttentionReader, image: Image, question: TaskQuestion, config: ViCropConfig
) -> dict[str, Any]:
    """What each layer's map and its crop have of the question's boxes."""
    boxes = [box for target in question.targets for box in target.boxes]
    text = short_question(question.text) if config.short_question else question.text
    base = config.base_window or reader.defaults.base
    layers = []
    maps = maps_of_layers(reader, image, text, config)
    for placed in maps:
        window = window_of(placed, image.size, base, scales=config.scales, guards=config.guards)
        of_layer = asdict(coverage(placed, window.box, boxes, image.size))
        edges = [window.box.x0, window.box.y0, window.box.x1, window.box.y1]
        layers.append(of_layer | {"window_xyxy": edges})
    return {
        "chance": chance(boxes, image.size),
        "grid": list(maps[0].values.shape),
        "base_window": base,
        "layers": layers,
    }


def maps_of_layers(
    reader: AttentionReader, image: Image, question: str, config: ViCropConfig
) -> list[PlacedMap]:
    """The map of every layer as the locator would make it, of tiles where it would use them."""
    tiles = None
    shown = [image]
    if wants_tiles(config, image.size, shrinks=reader.defaults.shrinks):
        tiles = tiling(image.size, config.tile_threshold, as_released=not config.guards)
        shown = tiles.cut(image)
    floor = general_floor(reader, config)
    by_part: list[list[PlacedMap]] = []
    for part in shown:
        factors = reader.layer_maps(part, question)
        looks = [Look(part, question)] * len(factors)
        by_part.append(placed_maps(factors, looks, config, floor=floor))
    if tiles is None:
        return by_part[0]
    return [joined(maps, tiles, image.size) for maps in zip(*by_part, strict=True)]


def _key(line: Prediction) -> tuple[str, ...]:
    return (line["id"],)
