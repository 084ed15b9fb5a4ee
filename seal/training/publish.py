"""Put the model of a finished run on the hub."""

from __future__ import annotations

from pathlib import Path

from seal.inference.hub import upload_folder
from seal.training.checkpoint import read_step
from seal.training.config import TrainConfig


def require_token(train: TrainConfig) -> None:
    """Before a run begins: refuse what could not be uploaded in the end, days later.

    Raises:
        ValueError: the run is to be uploaded and nobody is logged in, or the hub is switched off.
    """
    if train.push_to_hub is None:
        return
    from huggingface_hub import constants, get_token

    way = "or set train.push_to_hub=null and upload the model later with seal eval/convert upload="
    if constants.HF_HUB_OFFLINE:
        raise ValueError(
            f"train.push_to_hub={train.push_to_hub}, but HF_HUB_OFFLINE is set: unset it, {way}"
        )
    if get_token() is None:
        raise ValueError(
            f"train.push_to_hub={train.push_to_hub} needs a token that may write there: log in "
            f"with `hf auth login`, or set HF_TOKEN, {way}"
        )


def publish(train: TrainConfig, checkpoint: Path, model: Path) -> None:
    """Upload `model`, which `checkpoint` was exported to, if that is asked for.

    Into a private repository, which is made if there is none. A run that `stop_after` ended before
    its last step is not uploaded.

    Raises:
        ValueError: it could not be uploaded; the model is on this disk, and the same command again
            tries again.
    """
    if train.push_to_hub is None:
        return
    step = read_step(checkpoint)
    if train.stop_after is not None and train.stop_after <= step != train.num_steps:
        print(f"not uploaded: the run was stopped at step {step}, before its end")
        return
    try:
        address = upload_folder(model, train.push_to_hub, private=True)
    except ValueError as error:
        raise ValueError(
            f"the trained model is in {model}; {error}; then run the same command again, which "
            "trains nothing further"
        ) from error
    print(f"uploaded: {address}")
