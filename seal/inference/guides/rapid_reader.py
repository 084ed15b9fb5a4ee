"""RapidOCR as a reader of lines: detector and reader of PP-OCRv4, with weights in the package."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.inference.guides.read_lines import Line


class RapidReader:
    """Reads print in Latin letters and Chinese, upright or turned by up to about 30 degrees."""

    name = "rapidocr"

    def __init__(self, *, least_score: float = 0.5, threads: int = -1) -> None:
        """`least_score`: lines it is less sure of are left out; `threads`: -1 is all cores.

        Raises:
            ValueError: the package is not installed, or cannot be loaded.
        """
        if not 0 <= least_score <= 1:
            raise ValueError(f"least_score={least_score} is not in [0, 1]")
        options = {"intra_op_num_threads": threads, "text_score": least_score}
        self._engine: Any = _package().RapidOCR(**options)

    def read(self, picture: Image) -> list[Line]:
        lines, _ = self._engine(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))  # BGR
        return [
            Line(str(text), np.array(corners, np.float32), min(max(float(score), 0.0), 1.0))
            for corners, text, score in lines or []
        ]


def _package() -> Any:
    try:
        return importlib.import_module("rapidocr_onnxruntime")
    except ModuleNotFoundError as error:
        raise ValueError(
            "guide ocr reads with the package rapidocr-onnxruntime, which is not installed: "
            "pip install 'seal[ocr]'"
        ) from error
    except ImportError as error:  # of OpenCV, where a library of the system is missing
        first = str(error).splitlines()[0]
        raise ValueError(
            f"guide ocr cannot load OpenCV ({first}): pip install --force-reinstall --no-deps "
            "opencv-python-headless"
        ) from error
