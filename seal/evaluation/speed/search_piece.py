"""The searches of one model, measured path by path; each path and repeat is a file once it is done.

One process does all of them, so that the machine is equally warm for each, and takes the paths in
turn, as often as there are repeats: a machine that others use shows as a range.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from tqdm import tqdm

from seal.evaluation.environment import environment
from seal.evaluation.speed.asked import Asked, asked_questions, scripted_count
from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.levers import ORIGINAL
from seal.evaluation.speed.meter import MemoryMeter, RunPeak
from seal.evaluation.speed.models import make_search_model, search_model_folder
from seal.evaluation.speed.outcomes import outcome
from seal.evaluation.speed.plain_search import PlainSearch
from seal.evaluation.speed.roofline import MachineRates, Roofline, measure_rates
from seal.evaluation.speed.script import ScriptedSearch
from seal.evaluation.speed.search_estimate import least_seconds
from seal.evaluation.speed.search_plan import Leg, search_piece_path
from seal.evaluation.speed.work_meter import WorkMeter
from seal.evaluation.store import write_json
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.models.vsm import VSM
from seal.search.driver import SearchLocator
from seal.search.guided import GuidedSearch
from seal.search.result import SearchResult
from seal.search.speed import SpeedConfig as Pace
from seal.text.tokenize import Tokenizer

LONG = 60.0  # seconds of a path that are told before


def measure_legs(
    config: SpeedConfig, dtype: str, legs: Sequence[Leg], settings: dict[str, Any]
) -> None:
    """Measure what is named, and write each piece as it is finished. `config.device` is set."""
    assert config.device is not None
    make_search_model(config, config.device)
    bench = Bench.loaded(config, dtype, max(leg.levers.batch if leg.levers else 1 for leg in legs))
    with tqdm(legs, desc=f"{config.search_name} {dtype}", unit="path", file=sys.stdout) as bar:
        for leg in bar:
            bar.set_postfix_str(leg.name)
            measured = bench.skipped(leg) or bench.measure(leg, bar)
            write_json(
                search_piece_path(config, dtype, leg),
                {"settings": settings, **measured, "environment": environment(config.device)},
            )


@dataclass(slots=True)
class Bench:
    """A model on its device, and what it is asked."""

    config: SpeedConfig
    model: VSM
    tokenizer: Tokenizer
    rates: MachineRates
    asked: list[Asked]

    @classmethod
    def loaded(cls, config: SpeedConfig, dtype: str, batch: int) -> Bench:
        from seal.inference.load import load_search_model

        assert config.device is not None
        kind = getattr(torch, dtype)
        loaded = load_search_model(search_model_folder(config), device=config.device, dtype=kind)
        rates = measure_rates(config.device, kind)
        asked = asked_questions(config, [batch])
        return cls(config, loaded.model, loaded.tokenizer, rates, asked)

    def skipped(self, leg: Leg) -> dict[str, Any] | None:
        """Why a path is left out, if it is."""
        asked, tokens = self._asked_of(leg), self.config.cue_tokens
        least = least_seconds(leg, self.model, self.rates, asked, tokens) / 60
        if least <= self.config.most_minutes:
            return None
        why = (
            f"{len(asked)} questions would take more than {least:.0f} minutes; raise most_minutes= "
            "or ask fewer"
        )
        return {"path": leg.name, "skipped": why, "least_minutes": least}

    def measure(self, leg: Leg, bar: Any = None) -> dict[str, Any]:
        """Count the arithmetic of a few questions and warm up on them, then measure all."""
        asked = self._asked_of(leg)
        few = asked[: max(1, batch_of(leg) // 2)]
        # What a thread of its own runs, or a recorded graph, is not seen: counted without.
        seen = leg
        if leg.levers is not None:
            seen = replace(leg, levers=replace(leg.levers, graphs=False, side_by_side=False))
        engine = self._engine(seen)
        started = time.perf_counter()
        roofline = self._roofline(seen, engine, few)
        if seen != leg:
            engine = self._engine(leg)
            self._search(leg, engine, asked if leg.levers and leg.levers.graphs else few)
        expected = (time.perf_counter() - started) * len(asked) / len(few)
        if bar is not None and expected > LONG:
            bar.set_postfix_str(f"{leg.name}, at most {expected:.0f} s")
        before = asdict(_cost(engine))
        assert self.config.device is not None
        memory = MemoryMeter(self.config.device)
        with WorkMeter(self.model) as counted, RunPeak(self.config.device) as peak:
            memory.wait()
            cpu, started = time.process_time(), time.perf_counter()
            results, question_seconds = self._search(leg, engine, asked)
            memory.wait()
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        cost = _cost(engine)
        work = counted.work
        if leg.levers is not None and leg.levers.graphs:
            with WorkMeter(self.model) as counted:
                self._search(seen, self._engine(seen), asked)
            work = counted.work
        return {
            "path": leg.name,
            "repeat": leg.repeat,
            "levers": None if leg.levers is None else asdict(leg.levers),
            "questions": len(asked),
            "searches": len(results),
            "visits": sum(len(result.path) for result in results),
            "seconds": seconds,
            "cpu_seconds": cpu,
            "question_seconds": question_seconds,
            "calls": _summed([result.calls for result in results]),
            "call_seconds": _summed([result.seconds for result in results]),
            "evaluated_ahead": sum(result.evaluated_ahead for result in results),
            "work": work.as_dict(),
            "tokens_generated": cost.tokens_generated - before["tokens_generated"],
            "bytes_copied": cost.bytes_copied - before["bytes_copied"],
            "peak_bytes": peak.grown,
            "roofline": roofline,
            "outcomes": [
                outcome(question.id, result)
                for question, result in zip(_by_search(asked), results, strict=True)
            ],
        }

    def _asked_of(self, leg: Leg) -> list[Asked]:
        if self.config.benchmark is not None:
            return self.asked
        return self.asked[: scripted_count(self.config, batch_of(leg))]

    def _engine(self, leg: Leg) -> NetworkSearchModel | PlainSearch:
        scripted = self.config.benchmark is None
        if leg.levers is None:
            return PlainSearch(
                self.model, self.tokenizer, reuse=leg.name != ORIGINAL, says_locate=scripted
            )
        return NetworkSearchModel(self.model, self.tokenizer, **leg.levers.model_options())

    def _search(
        self, leg: Leg, engine: NetworkSearchModel | PlainSearch, asked: Sequence[Asked]
    ) -> tuple[list[SearchResult], list[float]]:
        """All results in order, and at batch 1 the seconds of each question, which are asked one
        after the other; nothing is known from one of the next."""
        model: Any = engine
        if self.config.benchmark is None:
            model = ScriptedSearch(engine, cue_tokens=self.config.cue_tokens)
            for question in asked:
                lengths = dict(zip(question.targets, question.lengths, strict=True))
                model.begin(question.image, lengths)
        pace = Pace(concurrency=1) if leg.levers is None else leg.levers.speed()
        locator = SearchLocator(GuidedSearch(engine.search_config()), model, speed=pace)
        seconds: list[float] = []
        results: list[SearchResult] = []
        if batch_of(leg) == 1:
            for question in asked:
                started = time.perf_counter()
                results += locator.locate(question.requests())
                seconds.append(time.perf_counter() - started)
                locator.forget(question.image)
        else:
            requests = (request for question in asked for request in question.requests())
            # Nothing is known of an image from the questions before: none would be measured.
            ended = locator.locate_stream(requests, forget=locator.forget)
            results = [result for _, result in sorted(ended, key=_number)]
        for result in results:
            if result.failure is not None:
                raise result.failure
        return results, seconds

    def _roofline(
        self, leg: Leg, engine: NetworkSearchModel | PlainSearch, asked: Sequence[Asked]
    ) -> dict[str, float]:
        """Arithmetic, memory and least time of the visits that some questions make."""
        with Roofline(self.rates) as counted:
            results, _ = self._search(leg, engine, asked)
        return {
            "visits": sum(len(result.path) for result in results),
            "flops": counted.flops,
            "bytes": counted.num_bytes,
            "seconds": counted.seconds,
            "machine_flops": self.rates.flops,
            "machine_bandwidth": self.rates.bandwidth,
        }


def batch_of(leg: Leg) -> int:
    """Searches side by side."""
    return 1 if leg.levers is None else leg.levers.batch


def _by_search(asked: Sequence[Asked]) -> list[Asked]:
    return [question for question in asked for _ in question.targets]


def _cost(engine: Any) -> Any:
    return replace(engine.cost)


def _number(numbered: tuple[int, SearchResult]) -> int:
    return numbered[0]


def _summed(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for counts in each:
        for kind, value in counts.items():
            total[kind] = total.get(kind, 0) + value
    return total
