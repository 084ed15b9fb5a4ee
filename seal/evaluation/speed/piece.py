"""One precision, measured in a process of its own: `python -m seal.evaluation.speed.piece`.

Its peak memory is then its own, and a run that is stopped keeps what was finished.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from seal.evaluation.environment import environment
from seal.evaluation.speed.config import PRECISIONS, SpeedConfig
from seal.evaluation.speed.meter import AnonymousPeak, MemoryMeter
from seal.evaluation.speed.models import make_models, model_folders
from seal.evaluation.speed.script import (
    OPTIONS,
    QUESTION,
    TARGETS,
    ScriptedAnswers,
    ScriptedSearch,
    search_lengths,
)
from seal.evaluation.speed.search_plan import missing_legs
from seal.evaluation.store import write_json
from seal.inference.guides.seal_vsm import Cost as SearchCost
from seal.models.fit.memory import Setting, expected_need
from seal.pipeline import Answer, Seal

MODELS = "models"  # the piece that writes the folders of random weights
SEARCHES = "searches-"  # and the type: the paths of the search, of which each is a piece


def piece_path(config: SpeedConfig, precision: str) -> Path:
    """Where a finished piece is."""
    return Path(config.out) / "pieces" / f"{config.name}-{precision}.json"


def run_piece(config: SpeedConfig, piece: str, settings: dict[str, Any]) -> None:
    """Make the models, or measure a precision or searches and write their files whole;
    `config.device` is set."""
    assert config.device is not None
    if config.threads is not None:
        import torch

        torch.set_num_threads(config.threads)
    if piece == MODELS:
        make_models(config, config.device)
        return
    if piece.startswith(SEARCHES):
        from seal.evaluation.speed.search_piece import measure_legs

        dtype = piece.removeprefix(SEARCHES)
        measure_legs(config, dtype, dict(missing_legs(config, settings))[dtype], settings)
        return
    measured = measure_piece(config, piece)
    write_json(piece_path(config, piece), {"settings": settings, **measured})


def measure_piece(config: SpeedConfig, precision: str) -> dict[str, Any]:
    """Load both models, then ask; everything in bytes and seconds."""
    import torch

    from seal.inference.build_locator import build_locator
    from seal.inference.load import load_answer_model, load_search_model, share_tower

    assert config.device is not None
    meter = MemoryMeter(config.device, config.memory_limit_gb)
    memory: dict[str, Any] = {"before_loading": meter.now()}
    dtype, quantization = PRECISIONS[precision]
    options: dict[str, Any] = {
        "device": config.device, "dtype": getattr(torch, dtype), "quantization": quantization,
    }  # fmt: skip
    if quantization is not None:
        import bitsandbytes  # noqa: F401  # its import is no model's loading time
    vqa_folder, vsm_folder = model_folders(config)
    with AnonymousPeak() as host:
        started = time.perf_counter()
        network_answers = load_answer_model(vqa_folder, **options)
        meter.wait()
        between = time.perf_counter()
        memory["vqa_loaded"] = meter.now()
        network_search = load_search_model(vsm_folder, **options)
        share_tower(network_answers.model, network_search.model)  # as `load_models` does
        meter.wait()
        load = {"vqa": between - started, "vsm": time.perf_counter() - between}
    memory |= {"both_loaded": meter.now(), "peak_loading": meter.peak()}
    memory["host_loading"] = host.grown
    setting = Setting(options["dtype"], quantization)
    sizes = (network_answers.model.config, network_search.model.config)
    need = expected_need(sizes, setting, shared_tower=True)
    memory |= {"expected": need.total, "expected_weights": need.weights}
    measured = {"precision": precision, "load_seconds": load}
    if config.questions == 0:
        return {
            **measured, "memory": memory | meter.report(), "questions": [],
            "environment": environment(config.device),
        }  # fmt: skip
    answers = ScriptedAnswers(network_answers)
    search = ScriptedSearch(network_search, cue_tokens=config.cue_tokens)
    seal = Seal(answers, build_locator("guided", search, network_search.search_config()))
    lengths = search_lengths(config.questions)
    warmup = [max(lengths, key=max)] * config.warmup  # the longest: an image too small is told soon
    asked = [
        _ask(config, seal, answers, search, meter, number, each)
        for number, each in enumerate([*warmup, *lengths])
    ]
    questions = asked[config.warmup :]
    return {
        **measured,
        "memory": memory | meter.report(),
        "mean_visits_per_target": float(np.mean([sum(q["lengths"]) / 2 for q in questions])),
        "seconds": {
            part: _summary([question["seconds"][part] for question in questions])
            for part in questions[0]["seconds"]
        },
        "questions": questions,
        "environment": environment(config.device),
    }


def _ask(
    config: SpeedConfig,
    seal: Seal,
    answers: ScriptedAnswers,
    search: ScriptedSearch,
    meter: MemoryMeter,
    number: int,
    lengths: tuple[int, int],
) -> dict[str, Any]:
    """One full question on an image of its own, so that nothing is known from the one before."""
    width, height = config.image_size
    rng = np.random.default_rng((config.seed, number))
    image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
    search.begin(image, dict(zip(TARGETS, lengths, strict=True)))
    before = _work(answers, search)
    meter.wait()
    started = time.perf_counter()
    answer = seal.ask(image, QUESTION, options=OPTIONS)
    meter.wait()
    whole = time.perf_counter() - started
    work = {key: value - before[key] for key, value in _work(answers, search).items()}
    _require_script(config, answer, lengths)
    shown = answer.cost["seconds"]
    seconds = {
        "first_answer": shown["show"],
        "search": shown["search"],
        "final_answer": shown["tell"],
        "question": whole,
    }
    if config.answer_tokens:
        assert answer.memory is not None
        started = time.perf_counter()
        answers.generate([answer.memory], max_new_tokens=config.answer_tokens)
        meter.wait()
        seconds["free_form_answer"] = time.perf_counter() - started
        answers.forget(image)
    parts: dict[str, float] = {}  # of the search, by kind of query
    for result in answer.searches:
        for kind, spent in result.seconds.items():
            parts[kind] = parts.get(kind, 0.0) + spent
    return {
        "lengths": list(lengths),
        "visits": answer.cost["visits"],
        "calls": answer.cost["calls"],
        "work": work,
        "seconds": {part: round(spent, 6) for part, spent in seconds.items()},
        "search_seconds": {kind: round(spent, 6) for kind, spent in parts.items()},
    }


def _work(answers: ScriptedAnswers, search: ScriptedSearch) -> dict[str, float]:
    """What both networks have done so far."""
    vqa, vsm = answers.model.cost, search.model.cost
    assert isinstance(vsm, SearchCost)
    return {
        "vqa_prompts_read": vqa.calls,
        "vqa_options_scored": vqa.options_scored,
        "vqa_tokens_generated": vqa.tokens_written,
        "vsm_crops_encoded": vsm.crops_encoded,
        "vsm_prompts_read": vsm.prompts_read,
        "vsm_questions_read": vsm.questions_read,
        "vsm_tokens_generated": vsm.tokens_generated,
    }


def _require_script(config: SpeedConfig, answer: Answer, lengths: tuple[int, int]) -> None:
    """The search went as the script says; on an image with too few regions it cannot."""
    for result in answer.searches:
        if result.failure is not None:
            raise result.failure
    made = tuple(len(result.path) for result in answer.searches)
    if made != lengths or answer.not_found:
        raise ValueError(
            f"searches of {lengths} visits ended after {made}: an image of {config.image_size} has "
            "too few regions; raise image_size="
        )


def _summary(values: list[float]) -> dict[str, float]:
    return {
        "median": median(values), "low": min(values), "high": max(values), "n": len(values),
    }  # fmt: skip


def _end_with(parent: int) -> None:
    """Stop when the run that started this is gone, however it ended: nobody waits any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(arguments: list[str]) -> int:
    """PIECE CONFIG SETTINGS PARENT, the middle two as JSON; an error is one line on stderr."""
    piece, config, settings, parent = arguments
    _end_with(int(parent))
    try:
        run_piece(SpeedConfig(**json.loads(config)), piece, json.loads(settings))
    except Exception as error:
        if os.environ.get("SEAL_TRACEBACK") == "1":
            raise
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
