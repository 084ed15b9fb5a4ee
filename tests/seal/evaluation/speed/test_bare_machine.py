"""Where the training stack is not installed, and Hydra is not, the measurement runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MISSING = ("hydra", "omegaconf", "datasets", "wandb", "deepspeed", "pycocotools", "peft", "openai")
PROGRAM = f"""
import sys
sys.modules.update(dict.fromkeys({MISSING}))  # their import fails
from seal.evaluation.speed import run
from seal.evaluation.speed.__main__ import main
from seal.evaluation.speed.piece import run_piece
run.launch_piece = run_piece
raise SystemExit(main(sys.argv[1:]))
"""


def test_only_torch_and_transformers_are_needed(tmp_path: Path) -> None:
    told = [
        "size=miniature", "device=cpu", "precisions=[fp32]", "questions=1", "warmup=0",
        "image_size=[640,480]", "ways=[]", f"out={tmp_path}",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *told], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| fp32" in done.stdout
    assert list(json.loads((tmp_path / "speed.json").read_text())["pieces"]) == ["fp32"]
