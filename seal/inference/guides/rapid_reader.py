"""RapidOCR as a reader of lines: detector and reader of PP-OCRv4, with weights in the package."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image

from seal.inference.guides.read_lines import Line
from seal.inference.hf.refusals import first_line

_PATTERNS = {  # of RapidOCR's options
    "det_model_path": "*det*.onnx",
    "rec_model_path": "*rec*.onnx",
    "rec_keys_path": "*.txt",
}


class RapidReader:
    """Reads print in Latin letters and Chinese, upright or turned by up to about 30 degrees."""

    def __init__(
        self,
        models: str | Path | None = None,
        *,
        least_score: float = 0.5,
        threads: int | None = None,
    ) -> None:
        """`models`: a folder with another detector and reader of PaddleOCR's in ONNX files, for
        other scripts: `*det*.onnx`, `*rec*.onnx`, and the reader's letters in `*.txt` unless they
        are in its file; None: those of the package.

        Args:
            least_score: lines that it is less sure of are left out.
            threads: of each network; None: as many as torch takes.

        Raises:
            ValueError: the package is not installed or cannot be loaded, or the folder lacks a
                file.
        """
        if not 0 <= least_score <= 1:
            raise ValueError(f"least_score={least_score} is not in [0, 1]")
        options: dict[str, Any] = {
            "intra_op_num_threads": torch.get_num_threads() if threads is None else threads,
            "inter_op_num_threads": 1,
            "text_score": least_score,
        }
        if models is not None:
            options |= _files(Path(models))
        self.name = "rapidocr" if models is None else f"rapidocr {models}"
        try:
            self._engine: Any = _package().RapidOCR(**options)
        except Exception as error:  # of ONNX Runtime, its own
            if models is None or isinstance(error, ValueError):
                raise
            raise ValueError(
                f"guide.models.ocr={models} cannot be loaded: {first_line(error)}"
            ) from error

    def read(self, picture: Image) -> list[Line]:
        lines, _ = self._engine(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))  # BGR
        return [
            Line(str(text), np.array(corners, np.float32), min(max(float(score), 0.0), 1.0))
            for corners, text, score in lines or []
        ]


def _files(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise ValueError(f"guide.models.ocr={folder}: no such folder; leave it out to read Latin")
    found = {}
    for option, pattern in _PATTERNS.items():
        files = sorted(folder.glob(pattern))
        if len(files) > 1 or (not files and option != "rec_keys_path"):
            raise ValueError(
                f"guide.models.ocr={folder} holds {len(files)} files {pattern}; give one of a kind"
            )
        if files:
            found[option] = str(files[0])
    return found


def _package() -> Any:
    try:
        return importlib.import_module("rapidocr_onnxruntime")
    except ModuleNotFoundError as error:
        raise ValueError(
            "guide ocr reads with the package rapidocr-onnxruntime, which is not installed: "
            "pip install 'seal[ocr]' (for Python 3.10 to 3.12)"
        ) from error
    except ImportError as error:  # of OpenCV, where a library of the system is missing
        raise ValueError(
            f"guide ocr cannot load OpenCV ({first_line(error)}): pip install --force-reinstall "
            "--no-deps opencv-python-headless"
        ) from error
