"""CLIP features of an image folder: made in batches, kept on disk, gone on with when stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from tqdm import tqdm
from transformers import AutoConfig, CLIPModel, CLIPVisionModel

from seal.files.cache_folder import cache_folder
from seal.files.digest import file_digest
from seal.files.lock import WriterLock
from seal.files.whole import write_whole
from seal.images import clip_pixels, open_image
from seal.models.files.load import read_config

Embed = Callable[[Tensor], Tensor]  # (N, 3, S, S) CLIP pixels -> (N, D)
_CHECKPOINT_EVERY = 16  # batches; fewer than that are lost when the work is stopped


class ClipEmbedder:
    """An image's embedding: CLIP's projected one, or its pooled token where no projection is."""

    def __init__(self, source: str, device: str = "cpu") -> None:
        """`source`: a CLIP of Hugging Face, folder or hub id, or a model folder of ours.

        Raises:
            ValueError: it is neither, or incomplete.
        """
        self.device = device
        self.source = source
        if _is_ours(Path(source)):
            self._model: Any = _own_tower(Path(source))
        else:
            self._model = _public_clip(source)
        self._model = self._model.to(device).eval()
        vision = getattr(self._model.config, "vision_config", self._model.config)
        self.image_size = int(vision.image_size)  # pixels a side
        self.num_features = int(
            self._model.config.projection_dim if self._projects else vision.hidden_size
        )

    @property
    def _projects(self) -> bool:
        return isinstance(self._model, CLIPModel)

    def __call__(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, D) of length 1, on the CPU."""
        with torch.inference_mode():
            vision = self._model.vision_model if self._projects else self._model
            pooled = vision(pixel_values=pixels.to(self.device)).pooler_output
            if self._projects:
                pooled = self._model.visual_projection(pooled)
            return torch.nn.functional.normalize(pooled.float(), dim=-1).cpu()

    def fingerprint(self) -> str:
        """Another one for other weights."""
        digest = hashlib.sha256(json.dumps(self._model.config.to_dict(), default=str).encode())
        for name, tensor in sorted(self._model.state_dict().items()):
            if "vision" in name or "visual" in name or not self._projects:
                digest.update(name.encode())
                content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
                digest.update(content.numpy())
        return digest.hexdigest()


def clip_features(
    embed: ClipEmbedder, folder: Path, names: Sequence[str], *, batch_size: int, workers: int
) -> np.ndarray:
    """(N, D) float32 of length 1, memory-mapped, one row for each image of `names`.

    A file that is missing or does not decode has a row of zeros. The rows are in `$SEAL_CACHE`,
    by the content of the weights and of every image, where a run that was stopped finds those it
    had.

    Raises:
        InUseError: another process makes the same rows.
        ValueError: there is no room for them on the disk.
    """
    digest = hashlib.sha256(embed.fingerprint().encode())
    with (
        ThreadPoolExecutor(max(1, workers)) as pool,
        tqdm(total=len(names), desc="checksums of images", unit="image", delay=2) as bar,
    ):
        for content in pool.map(lambda name: _content(folder / name), names):
            digest.update(f"{content}\0".encode())
            bar.update()
    path = cache_folder() / "features" / digest.hexdigest()[:24] / "rows.npy"
    shape = (len(names), embed.num_features)
    if _rows_done(path, shape) < len(names):
        with WriterLock(path.parent, "making of CLIP features"):
            _make_rows(embed, folder, names, path, batch_size=batch_size, workers=workers)
    return np.load(path, mmap_mode="r")


def _make_rows(
    embed: ClipEmbedder,
    folder: Path,
    names: Sequence[str],
    path: Path,
    *,
    batch_size: int,
    workers: int,
) -> None:
    shape = (len(names), embed.num_features)
    done = _rows_done(path, shape)  # again: another process may just have made them
    rows = _open_rows(path, None if done else shape)
    starts = range(done, len(names), batch_size)  # `done` is a whole number of batches
    with (
        ThreadPoolExecutor(max(1, workers)) as pool,
        tqdm(total=len(names), initial=done, desc="CLIP features", unit="image") as bar,
    ):
        for number, start in enumerate(starts, start=1):
            batch = names[start : start + batch_size]
            pixels = list(pool.map(lambda name: _pixels(folder / name, embed.image_size), batch))
            whole = [i for i, image in enumerate(pixels) if image is not None]
            found = np.zeros((len(batch), embed.num_features), np.float32)
            if whole:
                stacked = torch.from_numpy(np.stack([pixels[i] for i in whole]))  # type: ignore[misc]
                found[whole] = embed(stacked).numpy()
            rows[start : start + len(batch)] = found
            bar.update(len(batch))
            if number % _CHECKPOINT_EVERY == 0 or start + len(batch) == len(names):
                rows.flush()
                write_whole(_progress(path), json.dumps({"rows": start + len(batch)}))


def read_features(path: Path, num_images: int) -> np.ndarray:
    """Rows that someone else made, for the images in the order of the annotations, length 1.

    Raises:
        ValueError: the file is no table of `num_images` rows or more.
    """
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the header goes through Python's parser, which raises anything
        raise ValueError(f"features={path} is not a readable .npy file: {error}") from error
    if rows.ndim != 2 or rows.dtype.kind != "f" or len(rows) < num_images:
        raise ValueError(
            f"features={path} is {rows.dtype} {rows.shape}; expected floats, one row for each of "
            f"{num_images} images"
        )
    rows = np.asarray(rows[:num_images], dtype=np.float32)
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise ValueError(f"features={path}: row {bad} is not finite")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def _pixels(path: Path, size: int) -> np.ndarray | None:
    try:
        return clip_pixels(open_image(path), size, "center_crop")  # as CLIP was trained
    except ValueError:
        return None  # the builder counts it


def _content(path: Path) -> str:
    """The image's digest; empty: it is missing or cannot be read."""
    try:
        return file_digest(path)
    except OSError:
        return ""


def _open_rows(path: Path, shape: tuple[int, int] | None) -> np.memmap:
    """The file of rows, mapped for writing; `shape` of a new one."""
    mode: Any = "w+" if shape else "r+"
    try:
        rows = np.lib.format.open_memmap(path, mode, np.float32, shape)
        if hasattr(os, "posix_fallocate"):  # a disk that is full later would end the process
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written: {error.strerror or error}; "
            "make room, or name another folder in the environment variable SEAL_CACHE"
        ) from error
    return rows


def _progress(path: Path) -> Path:
    return path.with_name("progress.json")


def _rows_done(path: Path, shape: tuple[int, int]) -> int:
    """Rows of an earlier run; 0 where there is none, or it left something else."""
    try:
        done = int(json.loads(_progress(path).read_text())["rows"])
        found = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return done if found == shape and 0 <= done <= shape[0] else 0


def _is_ours(folder: Path) -> bool:
    path = folder / "config.json"
    if not path.is_file():
        return False
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return not str(content.get("model_type", "")).startswith("clip")


def _own_tower(folder: Path) -> CLIPVisionModel:
    """The tower of a VQA LLM or search model; of the shards, only its tensors are read."""
    vision = read_config(folder).vision
    if vision.family != "clip":
        raise ValueError(
            f"clip={folder}: its vision tower is {vision.family}; name a CLIP, or a model with one"
        )
    tower = vision.build()
    state: dict[str, Tensor] = {}
    try:
        for shard in sorted(folder.glob("*.safetensors")):
            with safe_open(shard, framework="pt") as file:
                keys: list[str] = list(file.keys())
                for key in keys:
                    if key.startswith("vision_tower."):
                        state[key.removeprefix("vision_tower.")] = file.get_tensor(key).float()
        tower.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"clip={folder}: its vision tower cannot be read: {error}") from error
    return tower.vision_model


def _public_clip(source: str) -> CLIPModel | CLIPVisionModel:
    try:
        kind = AutoConfig.from_pretrained(source).model_type
        classes: dict[str, Any] = {"clip": CLIPModel, "clip_vision_model": CLIPVisionModel}
        if kind not in classes:
            raise ValueError(f"it is a {kind}, not a CLIP")
        model, found = classes[kind].from_pretrained(source, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"clip={source} cannot be loaded: {error}") from error
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"clip={source} lacks {len(missing)} tensors, {missing[0]} first")
    return model
