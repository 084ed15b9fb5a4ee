"""Measured pages show charts as they are, then tables; a chart that was not drawn is no fault."""

from __future__ import annotations

import base64
import io
import re

from PIL import Image

from seal.pages.measured import write_measured
from seal.pages.table import Table


def test_charts_stand_before_tables_pixel_for_pixel(tmp_path):
    chart = Image.effect_noise((1300, 60), 90).convert("RGB")
    chart.save(tmp_path / "a.png")
    text = write_measured(
        tmp_path / "page.html",
        "Speed",
        tables=[Table("seconds", ("a", "b"), (("x", "1"),))],
        charts=[(tmp_path / "a.png", "the chart"), (tmp_path / "none.png", "not drawn")],
        notes=["twice as fast"],
    ).read_text()
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    assert list(shown.getdata()) == list(chart.getdata())
    assert text.index("the chart") < text.index("seconds") < text.index("twice as fast")
    assert "not drawn" not in text
