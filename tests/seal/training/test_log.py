"""What a run writes down besides its losses: Weights & Biases, without a network."""

from __future__ import annotations

from seal.training.log import TrainingLog, read_metrics, told


def log_two_steps(folder, **options) -> None:
    log = TrainingLog(folder, first=0, num_steps=2, config={"seed": 5}, **options)
    for step in (1, 2):
        log.train(step, {"loss": 1.0 / step, "lr": 1e-3})
    log.close()


def test_wandb_offline_leaves_a_run_to_upload_beside_the_metrics(tmp_path, monkeypatch):
    for name in ("WANDB_DIR", "WANDB_MODE", "WANDB_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "miniature"
    log_two_steps(folder, wandb="offline")
    (run,) = (folder / "wandb").glob("offline-run-*")
    assert run.name.endswith("-miniature")  # its id: the same folder continues the same curve
    assert (run / "run-miniature.wandb").stat().st_size > 0
    assert [line["step"] for line in read_metrics(folder / "metrics.jsonl")] == [1, 2]


def test_without_wandb_a_run_leaves_nothing_of_it(tmp_path):
    log_two_steps(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["metrics.jsonl"]


def test_a_validation_is_told_in_one_line_and_its_sources_in_one_line_a_part():
    values = {"loss": 3.0, "loss/ce": 1.0, "loss/ce/gqa": 0.5, "loss/ce/vaw": 1.5, "cIoU": 0.25}
    assert told(values, "step 9: ") == [
        "step 9: loss 3.0000  loss/ce 1.0000  cIoU 0.2500",
        "  loss/ce by source: gqa 0.5000, vaw 1.5000",
    ]
