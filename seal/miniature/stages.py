"""Run commands as stages, in lanes side by side, saying what runs and how long is left."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from seal.failure import FailedError
from seal.files.whole import write_whole
from seal.miniature.stage import Stage
from seal.miniature.time_left import Progress, Running, shares_told, time_left, told

TICK_SECONDS = 0.5
REPORT_SECONDS = 15.0  # between two lines of progress
GRACE_SECONDS = 10.0  # for stages to end when they are told to


class StageError(FailedError):
    """A stage ended with an error; the message holds the end of its log."""


@dataclass(slots=True)
class StageRunner:
    """Runs stages under `folder`; one that finished with the same command and inputs is kept."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[Path, ...] = ()  # files that say how every stage runs: a change renews them all
    # Told where the run is, every few seconds and whenever a stage has ended; never twice at once.
    watch: Callable[[Progress], None] | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # by stage, kept ones included
    # Largest sum over this process and all it started, kept stages included.
    peak_memory_mb: float = 0.0
    _peaks: dict[str, float] = field(default_factory=dict)  # the same while a stage runs
    _running: dict[str, tuple[Stage, float, subprocess.Popen[bytes]]] = field(default_factory=dict)
    _pending: set[Path] = field(default_factory=set)  # stamps that stages of this run will write
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failure: str | None = None

    def stamp(self, name: str) -> Path:
        """The file that says that stage `name` is finished."""
        return self.folder / "stages" / f"{name}.json"

    def run(self, lanes: Sequence[Sequence[Stage]]) -> None:
        """Run the lanes side by side, the stages of each lane in order.

        A stage that reads what another lane makes waits for it.

        Raises:
            StageError: a stage failed; the others are stopped. Finished stages stay finished.
        """
        (self.folder / "stages").mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self._pending = {self.stamp(stage.name) for lane in lanes for stage in lane}
        threads = [threading.Thread(target=self._run_lane, args=(lane,)) for lane in lanes]
        for thread in threads:
            thread.start()
        last_report, ended = time.monotonic(), -1
        try:
            while any(thread.is_alive() for thread in threads):
                time.sleep(TICK_SECONDS)
                self._watch_memory()
                due = time.monotonic() - last_report >= REPORT_SECONDS
                if due:
                    last_report = time.monotonic()
                    self._report(lanes)
                if self.watch is not None and (due or len(self.seconds) != ended):
                    ended = len(self.seconds)
                    self.watch(self.progress(lanes))
        except BaseException:
            self._stop("interrupted")
            self._end(threads)
            raise
        finally:
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise StageError(self._failure)

    def _run_lane(self, lane: Sequence[Stage]) -> None:
        for stage in lane:
            if self._failure is not None:
                return
            while self._failure is None and self._pending.intersection(stage.inputs):
                time.sleep(TICK_SECONDS)
            if not self._run_stage(stage):
                return
            self._pending.discard(self.stamp(stage.name))

    def _run_stage(self, stage: Stage) -> bool:
        fingerprint = self._fingerprint(stage)
        stamp = self.stamp(stage.name)
        if stamp.exists():
            kept = json.loads(stamp.read_text(encoding="utf-8"))
            if kept["fingerprint"] == fingerprint:
                self.seconds[stage.name] = kept["seconds"]
                self.peak_memory_mb = max(self.peak_memory_mb, kept["peak_memory_mb"])
                print(f"  {stage.name}: kept from an earlier run ({kept['seconds']:.0f} s)")
                return True
        if self._failure is not None:  # of another lane, while this one waited
            return False
        stamp.unlink(missing_ok=True)
        self._clear_output(stage, fingerprint)
        log = self._log(stage)
        print(f"  {stage.name}: started (log: {log})", flush=True)
        started = time.monotonic()
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", *stage.command],
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
            with self._lock:
                self._running[stage.name] = (stage, started, process)
            code = process.wait()
            with self._lock:
                del self._running[stage.name]
        seconds = time.monotonic() - started
        if code != 0:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
            self._stop(
                f"stage {stage.name} failed with exit code {code}; the end of {log}:\n{tail}"
            )
            return False
        self.seconds[stage.name] = seconds
        record = {
            "fingerprint": fingerprint,
            "seconds": round(seconds, 2),
            "peak_memory_mb": round(self._peaks.get(stage.name, 0.0), 1),
            "command": stage.command,
        }
        write_whole(stamp, json.dumps(record))
        print(f"  {stage.name}: done in {seconds:.0f} s")
        return True

    def _clear_output(self, stage: Stage, fingerprint: str) -> None:
        """Remove what a run with another fingerprint left; programs refuse to go on in that."""
        begun = self.folder / "stages" / f"{stage.name}.begun"
        if begun.exists() and begun.read_text(encoding="utf-8") != fingerprint and stage.output:
            if stage.output.is_dir():
                shutil.rmtree(stage.output)
            else:
                stage.output.unlink(missing_ok=True)
        write_whole(begun, fingerprint)

    def _fingerprint(self, stage: Stage) -> str:
        digest = hashlib.sha256(json.dumps(stage.command).encode())
        for path in (*self.settings, *stage.inputs):
            digest.update(path.read_bytes() if path.exists() else b"missing")
        return digest.hexdigest()

    def _stop(self, why: str) -> None:
        with self._lock:
            self._failure = self._failure or why
            for _, _, process in self._running.values():
                _signal_group(process, signal.SIGTERM)

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        """Wait a while for what was told to stop; then end it."""
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for _, _, process in self._running.values():
                _signal_group(process, signal.SIGKILL)

    def _watch_memory(self) -> None:
        me = psutil.Process()
        total = 0
        for process in [me, *me.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # it ended between listing and asking
                continue
        used = total / 2**20
        self.peak_memory_mb = max(self.peak_memory_mb, used)
        with self._lock:
            for name in self._running:
                self._peaks[name] = max(self._peaks.get(name, 0.0), used)

    def progress(self, lanes: Sequence[Sequence[Stage]]) -> Progress:
        """Where a run of these lanes is."""
        with self._lock:
            started = {name: (stage, since) for name, (stage, since, _) in self._running.items()}
        running = {}
        for name, (stage, since) in started.items():
            shares = None if stage.bar is None else shares_told(self._log(stage), stage.bar)
            begun, share = shares or (0.0, None)
            running[name] = Running(time.monotonic() - since, share, begun)
        done = dict(self.seconds)
        return Progress(lanes, done, {n: one for n, one in running.items() if n not in done})

    def _report(self, lanes: Sequence[Sequence[Stage]]) -> None:
        progress = self.progress(lanes)
        names = ", ".join(
            f"{name} {one.seconds:.0f} s" if one.share is None else f"{name} {one.share:.0%}"
            for name, one in progress.running.items()
        )
        print(f"    running: {names}; about {told(time_left(progress))} left", flush=True)

    def _log(self, stage: Stage) -> Path:
        return self.folder / "logs" / f"{stage.name}.log"


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To a stage and all that it started: each stage is a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
