"""The questions of a benchmark as requests, sent from many threads, and what came back."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from seal.evaluation.tasks.vstar_bench import read

_KINDS = {".jpg": "jpeg", ".jpeg": "jpeg"}  # of a file, where it is not its own name


@dataclass(frozen=True, slots=True)
class Reply:
    """Of one request."""

    seconds: float
    status: int | None  # None: there was no reply
    told: dict[str, Any]  # the completion, or {"error": ...}

    @property
    def found(self) -> Any:
        """What two replies to one question must have in common."""
        if self.status != 200:
            return None
        seal = self.told["seal"]
        searches = [
            (
                one["target"],
                one["found"],
                one["visits"],
                [[round(x) for x in b] for b in one["boxes"]],
            )
            for one in seal["searches"]
        ]
        return self.told["choices"][0]["message"]["content"], seal["missing"], searches


def requests_of(benchmark: str, model: str, limit: int) -> list[bytes]:
    """Bodies of chat requests, spread over the benchmark.

    Raises:
        ValueError: the folder is no benchmark.
    """
    folder = Path(benchmark)
    questions, _ = read(folder)
    chosen = [questions[i * len(questions) // limit] for i in range(limit)]
    return [_body(folder, str(each.image), each.text, model) for each in chosen]


def _body(folder: Path, image: str, text: str, model: str) -> bytes:
    path = folder / image
    kind = _KINDS.get(path.suffix.lower(), path.suffix.lower().lstrip("."))
    url = f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": text},
    ]
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()


def send_all(
    address: str, bodies: Sequence[bytes], concurrency: int, timeout: float
) -> tuple[list[Reply], float]:
    """The replies, and the seconds that all of them took."""
    started = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as threads:
        replies = list(threads.map(lambda body: _send(address, body, timeout), bodies))
    return replies, time.perf_counter() - started


def _send(address: str, body: bytes, timeout: float) -> Reply:
    parts = urlsplit(address)
    started = time.perf_counter()
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        heads = {"Content-Type": "application/json"}
        connection.request("POST", f"{parts.path}/chat/completions", body, heads)
        response = connection.getresponse()
        told = json.loads(response.read())
        status: int | None = response.status
    except (OSError, HTTPException, ValueError) as error:
        told, status = {"error": {"message": f"{type(error).__name__}: {error}"}}, None
    finally:
        connection.close()
    return Reply(time.perf_counter() - started, status, told)
