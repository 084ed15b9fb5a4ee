"""OpenAI-compatible servers that others wrote, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STARTS_WITHIN = 200.0  # seconds; about 10 where nothing else runs

_LLAMA = """
import sys, time
import xllamacpp
made = xllamacpp.CommonParams()
made.model.path, made.port = sys.argv[1], int(sys.argv[2])
made.mmproj.path, made.api_keys = sys.argv[3], [key for key in sys.argv[4:] if key]
made.hostnames, made.n_ctx, made.n_parallel = ["127.0.0.1"], 2048, 4
made.cache_type_k = made.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
made.cpuparams.n_threads = made.cpuparams_batch.n_threads = 1
made.fit_params = made.mmproj_use_gpu = made.warmup = False
server = xllamacpp.Server(made)
while True:
    time.sleep(1)
"""


@contextmanager
def transformers_serve(log_folder: Path, model: Path | None = None) -> Iterator[str]:
    """Its address, .../v1. A model goes by its folder; None: whatever folder is asked for."""
    program = Path(sys.executable).with_name("transformers")
    port = free_port()
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    command += [] if model is None else [str(model)]
    with _running(command, port, log_folder / f"{port}.log") as address:
        yield address


@contextmanager
def llama_serve(model: Path, pictures: Path | None = None, key: str = "") -> Iterator[str]:
    """llama.cpp's server, its address; `pictures`: the file of the tower (mmproj)."""
    port = free_port()
    command = [sys.executable, "-c", _LLAMA, str(model), str(port), str(pictures or ""), key]
    with _running(command, port, model.parent / f"{port}.log") as address:
        yield address


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[str]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    try:
        end = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                told = log.read_text(errors="replace")[-2000:]
                assert process.poll() is None, f"the server ended: {told}"
                assert time.monotonic() < end, f"the server did not start: {told}"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()
