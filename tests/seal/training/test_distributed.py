from __future__ import annotations

import pytest

from seal.training.distributed import LAUNCHER_VARIABLES, distributed


@pytest.mark.parametrize("missing", [["RANK"], ["LOCAL_RANK", "MASTER_PORT"], ["MASTER_ADDR"]])
def test_a_half_set_launcher_environment_is_refused_with_what_is_missing(monkeypatch, missing):
    values = dict.fromkeys(LAUNCHER_VARIABLES, "0") | {"WORLD_SIZE": "4"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name in missing:
        monkeypatch.delenv(name)
    with (
        pytest.raises(ValueError, match=f"WORLD_SIZE=4, but not set: {', '.join(missing)}; start"),
        distributed(seed=0),
    ):
        pass
