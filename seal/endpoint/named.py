"""The model at `http://HOST:PORT/v1#MODEL`, once it is known to be there."""

from __future__ import annotations

import os

from seal.endpoint.address import check_address, is_endpoint, is_openai, split_address
from seal.endpoint.client import Endpoint
from seal.endpoint.served import ServedModel, served_models
from seal.text.quote import quoted


def endpoint_key(base_url: str, key_name: str, key_option: str) -> str:
    """The key in the environment variable `key_name`; "" for a server that may need none.

    Raises:
        ValueError: it is OpenAI's own and there is no key; `key_option` names another variable.
    """
    key = os.environ.get(key_name, "").strip()
    if not key and is_openai(base_url):
        raise ValueError(
            f"{base_url} needs a key in the environment variable {key_name}; set it, "
            f"or name another variable with {key_option}="
        )
    return key


def named_endpoint(
    address: str,
    *,
    option: str = "endpoint",
    key_name: str,
    key_option: str = "api_key_env",
    concurrency: int,
    attempts: int,
    timeout: float,
    backoff: float,
) -> tuple[Endpoint, ServedModel]:
    """The server and its model; without `#MODEL`, the only one that is served there.

    `option`: what the address was given as, for errors. `key_name`: the variable of the key.

    Raises:
        ValueError: the address is none or nobody answers there, the key is missing or refused,
            or there is no such model, with those that are served.
    """
    base_url, name = split_address(address)
    if not is_endpoint(base_url):
        raise ValueError(f"{quoted(address)} is no endpoint; one is like http://host:8000/v1")
    check_address(option, base_url, key_option)
    endpoint = Endpoint(
        name or "",
        key=endpoint_key(base_url, key_name, key_option),
        key_name=key_name,
        base_url=base_url,
        concurrency=concurrency,
        attempts=attempts,
        timeout=timeout,
        backoff=backoff,
        advice="the address, the model behind its #",
    )
    served = served_models(endpoint)
    model = _chosen(base_url, name, served)
    endpoint.model = model.name
    if served:
        endpoint.advice += f" (it serves {_names(served)})"
    return endpoint, model


def _chosen(address: str, name: str | None, served: list[ServedModel] | None) -> ServedModel:
    """The model that was meant. A name that is not listed may still be another name of one."""
    if name is not None:
        return next((m for m in served or () if m.name == name), ServedModel(name))
    if served is None:
        raise ValueError(f"{address} has no list of its models: name one as in {address}#MODEL")
    if len(served) != 1:
        raise ValueError(
            f"{address} serves {len(served)} models ({_names(served)}): name one as in "
            f"{address}#MODEL"
        )
    return served[0]


def _names(served: list[ServedModel]) -> str:
    names = ", ".join(model.name for model in served[:10]) or "none"
    return names + (f" and {len(served) - 10} more" if len(served) > 10 else "")
