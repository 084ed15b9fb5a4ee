"""Fill a model from stored tensors one by one, packing what is to be quantized as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from seal.models.files.shards import StoredTensor, read_tensors
from seal.models.files.tower_names import names_here
from seal.models.fit.offload import offload_blocks, offloaded_blocks
from seal.models.fit.quantize import pack, prepare_quantization
from seal.models.parts.vision import VisionTower
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig

_TOWER = "vision_tower."


def build_from(
    config: VQAModelConfig | VSMModelConfig, state: Mapping[str, Tensor], complaint: str
) -> VQAModel | VSM:
    """The model of `config` with exactly the tensors of `state`; nothing else is allocated.

    Raises:
        ValueError: `complaint`, then the keys that are missing, extra, of another shape or type.
    """
    model = _without_weights(config)
    state = names_here(state, model.state_dict())
    _require_fit(model, {k: (t.shape, t.dtype) for k, t in state.items()}, complaint)
    return _filled(model, state.items(), torch.device("cpu"))


def build_from_stored(
    config: VQAModelConfig | VSMModelConfig,
    stored: Mapping[str, StoredTensor],
    complaint: str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    quantization: str | None = None,
    tower: VisionTower | None = None,
    offload: int = 0,
) -> VQAModel | VSM:
    """The model of `config` with the tensors that lie in `stored`, on `device`.

    What does not fit is found before anything is read. Each tensor goes to its place, cast and
    packed, before the next is read, so that the host holds one tensor more than the model.

    Args:
        dtype: of all floating-point tensors; None: each one's own.
        quantization: "int8" or "nf4", of the language model's blocks.
        tower: a loaded one that the model shares; `stored` then has none.
        offload: how many of the language model's blocks stay on the host; see `offload_blocks`.

    Raises:
        ValueError: as `build_from`.
    """
    model = _without_weights(config)
    stored = names_here(stored, model.state_dict())
    found = {key: (tensor.shape, tensor.dtype) for key, tensor in stored.items()}
    _require_fit(model, found, complaint, without=_TOWER if tower is not None else None)
    if tower is not None:
        model.vision_tower = tower
    if quantization is not None:
        if offload:
            raise ValueError(
                f"quantization={quantization} with offload={offload}: packed weights stay on the "
                "device; choose one of the two"
            )
        prepare_quantization(model, quantization)
    cast = (
        (key, tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor)
        for key, tensor in read_tensors(stored)
    )
    return _filled(model, cast, torch.device(device), offload)


def build_from_drawn(
    config: VQAModelConfig | VSMModelConfig,
    draw: Callable[[str, torch.Size], Tensor],
    *,
    device: torch.device | str = "cpu",
    quantization: str | None = None,
) -> VQAModel | VSM:
    """The model of `config` on `device`, each tensor as `draw` makes it of its name and shape."""
    model = _without_weights(config)
    shapes = {key: tensor.shape for key, tensor in model.stored_state().items()}
    if quantization is not None:
        prepare_quantization(model, quantization)
    drawn = ((key, draw(key, shape)) for key, shape in shapes.items())
    return _filled(model, drawn, torch.device(device))


def _without_weights(config: VQAModelConfig | VSMModelConfig) -> VQAModel | VSM:
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):  # buffers that are not saved stay real
        return config.build()


def _filled(
    model: VQAModel | VSM,
    tensors: Iterable[tuple[str, Tensor]],
    device: torch.device,
    offload: int = 0,
) -> VQAModel | VSM:
    on_host = offloaded_blocks(model, offload)
    for key, tensor in tensors:
        _place(model, key, tensor, torch.device("cpu") if key.startswith(on_host) else device)
    model.tie_weights()
    for module in model.modules():  # what is not saved: frequencies, position ids
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = buffer.to(device)
    offload_blocks(model, on_host, device)
    return model


def _place(model: nn.Module, key: str, tensor: Tensor, device: torch.device) -> None:
    parent, _, leaf = key.rpartition(".")
    module = model.get_submodule(parent)
    if leaf in module._parameters:
        old = module._parameters[leaf]
        assert old is not None
        packed = pack(module, leaf, tensor, device)
        if packed is None:
            packed = nn.Parameter(tensor.to(device), requires_grad=old.requires_grad)
        module._parameters[leaf] = packed
    else:
        module._buffers[leaf] = tensor.to(device)


def _require_fit(
    model: VQAModel | VSM,
    found: Mapping[str, tuple[tuple[int, ...], torch.dtype | str]],
    complaint: str,
    without: str | None = None,
) -> None:
    """Compare names, shapes and types with the model's; all at once, so that all can be told."""
    expected = {
        key: tensor
        for key, tensor in model.stored_state().items()
        if without is None or not key.startswith(without)
    }
    problems = []
    for key, (shape, dtype) in found.items():
        if key not in expected:
            problems.append(f"extra key {key}")
        elif tuple(shape) != tuple(expected[key].shape):
            there, here = list(shape), list(expected[key].shape)
            problems.append(f"{key} has shape {there}, the model {here}")
        elif not _same_kind(dtype, expected[key].dtype):
            problems.append(f"{key} has type {_type_name(dtype)}, the model a floating-point one")
    problems += [f"missing key {key}" for key in expected if key not in found]
    if problems:
        shown = "; ".join(problems[:8]) + (f"; and {len(problems) - 8} more" * (len(problems) > 8))
        raise ValueError(f"{complaint}: {shown}")


def _same_kind(dtype: torch.dtype | str, expected: torch.dtype) -> bool:
    """Whether values of one type mean the same in the other: any precision of weights will do."""
    if isinstance(dtype, str):
        return False
    return dtype == expected or (dtype.is_floating_point and expected.is_floating_point)


def _type_name(dtype: torch.dtype | str) -> str:
    return str(dtype).removeprefix("torch.")
