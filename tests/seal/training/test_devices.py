from __future__ import annotations

import pytest

from seal.training.devices import DEVICES, device_named


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("NVIDIA A100-SXM4-40GB", "A100 40"),
        ("NVIDIA A100-SXM4-80GB", "A100 80"),
        ("NVIDIA A100 80GB PCIe", "A100 80"),
        ("NVIDIA H100 80GB HBM3", "H100 80"),
        ("NVIDIA H800", "H800 80"),
        ("NVIDIA H200", "H200 141"),
        ("NVIDIA B200", "B200 180"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090 24"),
        ("NVIDIA L40S", "L40S 48"),
    ],
)
def test_a_device_is_found_by_the_name_pytorch_reports(reported, name):
    found = device_named(reported)
    assert found is not None and found.name == name


@pytest.mark.parametrize(
    "reported", ["NVIDIA GeForce RTX 3090", "NVIDIA H100 PCIe", "NVIDIA GeForce RTX 4090 D"]
)
def test_a_device_with_other_figures_is_not_taken_for_one_of_the_table(reported):
    assert device_named(reported) is None


def test_what_is_sustained_is_measured_or_below_the_datasheet():
    by_name = {device.name: device for device in DEVICES}
    assert by_name["H200 141"].peak_tflops == 790
    assert all(d.peak_tflops < d.datasheet_tflops and d.usable_gib < d.memory_gib for d in DEVICES)
    assert len(by_name) == 8
