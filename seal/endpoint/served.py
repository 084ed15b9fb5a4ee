"""Which models a server has, by its own list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from seal.endpoint.client import Endpoint, Session
from seal.endpoint.faults import FaultError, RefusedError

# How servers call the positions that a model reads at once.
_CONTEXT = ("max_model_len", "context_length", "max_context_length")


@dataclass(frozen=True, slots=True)
class ServedModel:
    name: str
    context: int | None = None  # tokens of prompt and answer together; None: not told


def served_models(endpoint: Endpoint) -> list[ServedModel] | None:
    """The models at an address; None: the server has no list.

    Raises:
        ValueError: nobody answers there, the key is refused, or it is another kind of server.
    """
    address = endpoint.base_url
    try:
        answer = endpoint.run(_ask)
    except RefusedError as error:
        if error.status == 404:
            return None
        raise
    except FaultError as fault:
        if fault.status == 501 or (fault.status is not None and not fault.repeat):
            return None
        if fault.status is not None or "malformed" in str(fault):
            raise ValueError(f"{address} gives no list of models: {fault}; {_ADVICE}") from None
        raise ValueError(
            f"{address} cannot be reached: {fault}; start the server or correct the address"
        ) from None
    try:
        return [ServedModel(str(entry["id"]), _context(entry)) for entry in answer["data"]]
    except (KeyError, TypeError):
        told = endpoint.clean(re.sub(r"\s+", " ", str(answer)))[:80]
        raise ValueError(f"{address} gives no list of models but {told!r}; {_ADVICE}") from None


_ADVICE = "it must be an OpenAI-compatible server, whose address mostly ends in /v1"


async def _ask(session: Session) -> Any:
    """Repeated if the server is busy; where nobody is, waiting helps no one."""
    faults = 0
    while True:
        try:
            return await session.endpoint.call(session.client.get("/models", cast_to=object))
        except FaultError as fault:
            faults += 1
            if fault.status is None or not fault.repeat or faults >= session.endpoint.attempts:
                raise
            await session.wait(fault, faults)


def _context(entry: dict[str, Any]) -> int | None:
    meta = entry.get("meta")  # llama.cpp's
    told = [entry.get(name) for name in _CONTEXT]
    told += [meta.get("n_ctx")] if isinstance(meta, dict) else []
    return next((value for value in told if isinstance(value, int) and value > 0), None)
