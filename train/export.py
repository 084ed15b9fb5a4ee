"""Turn a checkpoint into a plain model folder, adapters merged; or into its adapters alone.

    seal train/export run=runs/vsm_7b out=models/vsm
    seal train/export run=runs/vsm_7b checkpoint=step-00050000 out=models/vsm_half dtype=fp16
    seal train/export run=runs/vsm_7b out=models/vsm_adapter form=adapter
    seal train/export run=runs/vsm_7b checkpoint=best out=models/vsm_best   # see train.best

A finished run has done this by itself (runs/NAME/model); this is for checkpoints in between. The
folder holds safetensors shards, config.json, tokenizer, processor settings and training.json, and
is what `load_model`, `seal ask` and every evaluation read; eval/convert writes the authors' layout.

form=adapter writes the adapters as `peft.PeftModel.from_pretrained` loads them, with the trained
embeddings and LM head; heads.safetensors holds what was trained outside the language model. A run
goes on from it with init_adapter=FOLDER. Of a run over quantized weights this is the exact form:
merged into the whole weights, the answers differ a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seal.schema import from_dict, program
from seal.training.best import BEST, best_checkpoint
from seal.training.checkpoint import read_description
from seal.training.checkpoint_store import find_checkpoint
from seal.training.export import export_model
from seal.training.export_adapter import export_adapter
from seal.training.recipe import KINDS

FORMS = {"merged": export_model, "adapter": export_adapter}


@dataclass(kw_only=True, slots=True)
class ExportRun:
    """What conf/train_export.yaml says."""

    run: str  # the folder of a training run
    out: str  # the model folder to write; an existing one is replaced
    form: str = "merged"  # merged | adapter: what was trained alone, for peft and init_adapter
    checkpoint: str | None = None  # a name below run/checkpoints, or best; None: the newest
    dtype: str | None = None  # bf16 | fp16 | fp32; None: what the run computed in;
    # of form=adapter fp32

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"form={self.form!r} is none of {', '.join(FORMS)}")


@program("train_export", ExportRun)
def main(export: ExportRun) -> None:
    store = Path(export.run) / "checkpoints"
    if export.checkpoint == BEST:
        checkpoint: Path | None = best_checkpoint(store)
    else:
        checkpoint = store / export.checkpoint if export.checkpoint else find_checkpoint(store)
    if checkpoint is None:
        raise ValueError(f"{store} holds no checkpoint")
    stored = read_description(checkpoint)
    run = from_dict(KINDS[stored["kind"]], stored["configuration"])
    FORMS[export.form](run, checkpoint, Path(export.out), dtype=export.dtype)
    print(f"{checkpoint} -> {export.out}")


if __name__ == "__main__":
    main()
