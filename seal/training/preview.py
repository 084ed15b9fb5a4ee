"""What a run would do, before it does anything: parameters, memory, steps, and one batch to see."""

from __future__ import annotations

import base64
import html
import io

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Batch, Sample
from seal.models.load import CLIP_MEAN, CLIP_STD, parameter_table
from seal.models.vlm import VLM
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.training.assemble import TrainingData
from seal.training.config import TrainConfig
from seal.training.flops import count_flops, state_bytes
from seal.training.recipe import Run, VQARun, VSMRun

GPUS = (1, 2, 4, 8)
# What one GPU is assumed to sustain for the estimate of hours: half of an H200's measured peak.
ASSUMED_TFLOPS = 395.0
QUANTIZED_BYTES = {"int8": 1.0, "nf4": 0.5 + 0.5 / 8}  # per parameter, scales included
STYLE = (
    "body{font:14px sans-serif;margin:2em;max-width:70em}mark{background:#bde5b8}"
    "code{background:#dde4f2;padding:0 .3em}.row{border-top:1px solid #bbb;padding:.6em 0;"
    "white-space:pre-wrap}img{margin:.2em;vertical-align:top;width:224px}"
)


def preview(run: VQARun | VSMRun) -> None:
    """Print the parameters by part, memory, steps; write a page with the first micro-batch."""
    run.prepare()
    with torch.device("meta"):
        model = run.build_model(weights=False)
    print(f"{run.run_name}\n")
    print("\n".join(parameter_lines(model)), "\n")
    print("\n".join(memory_lines(model, run)), "\n")
    try:
        tokenizer = load_tokenizer(run.tokenizer_folder)
        data = run.build_data(tokenizer)
    except ValueError as error:
        print(f"no batch, steps and hours are shown, for the data cannot be opened: {error}")
        return
    steps = run.train.steps(len(data.train))
    samples = [data.train[index] for index in range(run.train.micro_batch_size)]
    batch = data.collate(samples)
    print("\n".join(step_lines(model, run.train, data, batch, steps)))
    page = run.folder / "preview.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(batch_page(run.run_name, samples, tokenizer), encoding="utf-8")
    print(f"the first micro-batch: {page}")


def parameter_lines(model: VLM) -> list[str]:
    """A table: part, parameters, trained ones."""
    rows = parameter_table(model)
    rows.append(("total", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return [f"{'part':<18}{'parameters':>16}{'trained':>16}"] + [
        f"{name:<18}{count:>16,}{trained:>16,}" for name, count, trained in rows
    ]


def memory_lines(model: VLM, run: Run) -> list[str]:
    """A table: GiB per GPU for each ZeRO stage and number of GPUs."""
    parameters = list(model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    frozen = sum(p.numel() for p in parameters) - trained
    frozen_bytes = None if run.quantization is None else QUANTIZED_BYTES[run.quantization]
    lines = [
        "GiB per GPU for weights, gradients and optimizer; activations come on top",
        f"{'':<18}" + "".join(f"{f'{count} GPU':>10}" for count in GPUS),
    ]
    for stage in range(1 if run.train.bf16 else 0, 4):
        cells = [
            state_bytes(
                trained, frozen, stage=stage, processes=count, bf16=run.train.bf16,
                frozen_bytes=frozen_bytes,
            ) / 2**30
            for count in GPUS
        ]  # fmt: skip
        lines.append(f"ZeRO {stage:<13}" + "".join(f"{value:>10.2f}" for value in cells))
    return lines


def step_lines(
    model: VQAModel | VSM, train: TrainConfig, data: TrainingData, batch: Batch, steps: int
) -> list[str]:
    """Steps, and how long they may take, judged by the first micro-batch."""
    padding = 1.0 - float(batch.attention_mask.float().mean())
    per_sample = count_flops(model)(batch) / train.micro_batch_size
    total = per_sample * train.global_batch_size * steps
    hours = total / (ASSUMED_TFLOPS * 1e12) / 3600
    return [
        f"{len(data.train):,} records an epoch; {steps:,} steps of {train.global_batch_size}; "
        f"warm-up {train.warmup(steps)}",
        f"{batch.input_ids.shape[1]} positions in the first micro-batch, {padding:.0%} padding",
        f"{total:.2e} floating-point operations: about {hours:.2f} GPU hours at "
        f"{ASSUMED_TFLOPS:.0f} TFLOP/s",
    ]


def batch_page(title: str, samples: list[Sample], tokenizer: Tokenizer) -> str:
    """An HTML page: every row as text, what is learnt marked, its pictures, boxes drawn."""
    parts = [f"<title>{html.escape(title)}</title><style>{STYLE}</style>"]
    parts.append(f"<h1>{html.escape(title)}</h1><p><mark>learnt</mark> <code>visual</code></p>")
    for sample in samples:
        parts.append(f"<h2>{html.escape(sample.id)}</h2>")
        parts += [_picture(_clip_image(pixels)) for pixels in sample.images]
        if sample.detector_image is not None:
            parts.append(_picture(_detector_image(sample)))
        for row in sample.rows:
            text = _marked_text(row.input_ids.tolist(), row.labels.tolist(), tokenizer)
            parts.append(f'<div class="row">{text}</div>')
        for target in sample.targets:
            boxes = "not annotated" if target.boxes is None else f"{len(target.boxes)} boxes"
            mask = "no mask" if target.mask is None else f"{int(target.mask.sum())} mask pixels"
            parts.append(f"<p>{boxes}, {mask}</p>")
    return "<!doctype html><meta charset='utf-8'>" + "\n".join(parts) + "\n"


def _marked_text(ids: list[int], labels: list[int], tokenizer: Tokenizer) -> str:
    """Runs of equal kind, decoded: text, learnt text, visual tokens."""
    kinds = [
        "visual" if token == VISUAL_TOKEN else "learnt" if label != IGNORE_INDEX else "text"
        for token, label in zip(ids, labels, strict=True)
    ]
    parts = []
    start = 0
    for end in range(1, len(ids) + 1):
        if end < len(ids) and kinds[end] == kinds[start]:
            continue
        if kinds[start] == "visual":
            parts.append(f"<code>{end - start} visual tokens</code>")
        else:
            text = html.escape(tokenizer.decode(ids[start:end], skip_special=False))
            parts.append(f"<mark>{text}</mark>" if kinds[start] == "learnt" else text)
        start = end
    return " ".join(parts)


def _clip_image(pixels: Tensor) -> Image.Image:
    """(3, S, S) normalized -> what the model sees."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (CLIP_MEAN, CLIP_STD))
    bytes_ = ((pixels * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(bytes_.permute(1, 2, 0).numpy())


def _detector_image(sample: Sample) -> Image.Image:
    assert sample.detector_image is not None
    image = _clip_image(sample.detector_image)
    pen = ImageDraw.Draw(image)
    for target in sample.targets:
        for cx, cy, w, h in [] if target.boxes is None else target.boxes.tolist():
            x0, x1 = ((cx + sign * w / 2) * image.width for sign in (-1, 1))
            y0, y1 = ((cy + sign * h / 2) * image.height for sign in (-1, 1))
            pen.rectangle((x0, y0, x1, y1), outline=(255, 0, 0))
    return image


def _picture(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return f'<img src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
