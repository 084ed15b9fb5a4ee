"""A recorded function gives what it gives when called, from wherever its inputs come."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from recorded import Recorder
from tiny_models import vsm_model

from seal.inference.graphs import CudaRecorder, Graphs, Recording


def affine(x, y):
    return x * 2 + y, x.sum(-1)


def both(given, expected):
    for one, other in zip(given, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_every_call_gives_what_the_function_gives_whatever_shapes_came_between():
    recorder = Recorder()
    graphs = Graphs(recorder)
    captured = graphs.captured("affine", affine)
    generator = torch.Generator().manual_seed(0)
    kept = []
    for rows in [1, 3, 1, 1, 3, 2, 3, 1, 2, 2]:
        x, y = (torch.randn(rows, 4, generator=generator) for _ in range(2))
        kept.append((captured(x, y), affine(x.clone(), y.clone())))
        x.zero_()  # what was given is the caller's again
    for given, expected in kept:  # and what was returned as well
        both(given, expected)
    assert len(recorder.recorded) == graphs.num_recorded == 3
    assert graphs.num_replayed == 7  # the first call of a shape is not worth a recording


def test_one_result_comes_as_one_tensor():
    captured = Graphs(Recorder()).captured("double", lambda x: x * 2)
    for value in range(3):
        assert captured(torch.full((2,), float(value))).tolist() == [2.0 * value] * 2


def test_calls_with_many_rows_are_only_calls():
    graphs = Graphs(Recorder(), most_rows=2)
    captured = graphs.captured("double", lambda x: x * 2)
    for rows in (2, 3) * 3:
        assert captured(torch.ones(rows)).tolist() == [2.0] * rows
    assert graphs.num_recorded == 1 and graphs.num_replayed == 2


def test_types_are_recorded_apart():
    graphs = Graphs(Recorder())
    captured = graphs.captured("double", lambda x: x * 2)
    for dtype in (torch.float32, torch.float64) * 3:
        assert captured(torch.ones(2, dtype=dtype)).dtype == dtype
    assert graphs.num_recorded == 2


def test_those_used_last_are_kept_and_the_others_give_back_their_memory():
    buffers = []

    def record(function, inputs):
        outputs = function(*inputs)
        buffers.append(weakref.ref(outputs))
        return Recording(lambda: outputs.copy_(function(*inputs)), outputs)

    graphs = Graphs(record, most=2)
    captured = graphs.captured("double", lambda x: x * 2)
    for rows in (1, 1, 2, 2, 1, 3, 3):
        captured(torch.ones(rows))
    gc.collect()
    assert [each() is None for each in buffers] == [False, True, False]  # of 1, 2 and 3 rows
    captured(torch.ones(1))
    assert graphs.num_recorded == 3
    graphs.clear()
    gc.collect()
    assert all(each() is None for each in buffers)


def test_what_cannot_be_recorded_is_called_and_that_is_told_once():
    told, calls = [], []

    def record(function, inputs):
        if function is reads:
            raise RuntimeError("operation not permitted when stream is capturing\nstack")
        return Recorder()(function, inputs)

    def reads(x):
        calls.append(len(x))
        return x * int(x[0])

    graphs = Graphs(record, tell=told.append)
    captured, other = graphs.captured("heads", reads), graphs.captured("tower", lambda x: x + 1)
    for value in (3.0, 4.0, 5.0):
        assert captured(torch.full((2,), value)).tolist() == [value**2] * 2
        assert other(torch.full((2,), value)).tolist() == [value + 1] * 2
    assert told == [
        "heads is not recorded as a CUDA graph but called: operation not permitted when stream is "
        "capturing"
    ]
    assert list(graphs.failed) == ["heads"] and len(calls) == 3 and graphs.num_recorded == 1


def test_without_memory_for_a_recording_there_are_none_any_more():
    told = []

    def record(function, inputs):
        if len(inputs[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return Recorder()(function, inputs)

    graphs = Graphs(record, tell=told.append)
    captured = graphs.captured("double", lambda x: x * 2)
    for rows in (1, 1, 2, 2, 1, 2):
        assert captured(torch.ones(rows)).tolist() == [2.0] * rows
    assert not graphs.records and len(told) == 1
    assert told[0].startswith("anything is not recorded") and "out of memory" in told[0]


def test_a_fault_of_the_function_itself_is_raised():
    captured = Graphs(Recorder(), tell=lambda line: None).captured("sum", lambda x, y: x + y)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="must match"):
            captured(torch.ones(2), torch.ones(3))


def test_elsewhere_than_on_cuda_functions_are_given_what_the_caller_gave():
    graphs = Graphs.on(torch.device("cpu"))
    assert not graphs.records
    captured = graphs.captured("itself", lambda x: x)
    x = torch.ones(2)
    assert captured(x) is captured(x) is x


def test_inputs_of_either_kind_of_inference_mode_can_be_replayed():
    captured = Graphs(Recorder()).captured("double", lambda x: x * 2)
    with torch.inference_mode():
        for value in range(3):
            assert captured(torch.full((1,), float(value))).item() == 2 * value
    with torch.no_grad():
        assert captured(torch.ones(1)).item() == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@torch.inference_mode()
def test_cuda_graphs_of_both_towers_give_what_the_towers_give():
    model = vsm_model().to("cuda").eval()
    graphs = Graphs(CudaRecorder())
    config = model.config
    for name, function, size in [
        ("vision", model.encode_images, config.vision.image_size),
        ("detector", model.encode_detector, config.detector.image_size),
    ]:
        captured = graphs.captured(name, function)
        for seed, count in enumerate([1, 2, 1, 2, 1]):
            generator = torch.Generator().manual_seed(seed)
            pixels = torch.randint(256, (count, 3, size, size), generator=generator).byte().cuda()
            torch.testing.assert_close(captured(pixels), function(pixels))
    assert graphs.num_recorded == 4 and not graphs.failed
