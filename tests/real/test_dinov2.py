from __future__ import annotations

import numpy as np
import pytest
import torch
from real.dinov2 import LAST_STATES, dinov2_onnx
from transformers import AutoModel

pytestmark = pytest.mark.real


@torch.inference_mode()
def test_its_states_are_those_of_the_file_the_weights_come_from(dinov2):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, loading = AutoModel.from_pretrained(dinov2, output_loading_info=True)
    assert not any(loading.values()), loading
    file = onnx.load(dinov2_onnx())
    file.graph.output.append(onnx.helper.make_tensor_value_info(LAST_STATES, 1, None))
    session = runtime.InferenceSession(file.SerializeToString())
    pixels = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    (states,) = session.run([LAST_STATES], {"input_image": pixels})
    ours = model.eval()(torch.from_numpy(pixels)).last_hidden_state
    torch.testing.assert_close(ours, torch.from_numpy(states), atol=1e-4, rtol=0)
