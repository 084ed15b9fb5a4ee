from __future__ import annotations

import pytest
import torch

from seal.files.lock import InUseError, WriterLock
from seal.training.distributed import LAUNCHER_VARIABLES, World, distributed


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


def test_a_folder_that_is_in_use_ends_every_process_and_only_the_first_says_why(tmp_path):
    """The others would wait for the first at the next collective call."""
    with WriterLock(tmp_path, "training"):
        first = World(0, 1, 0, torch.device("cpu"))
        with (
            pytest.raises(InUseError, match="another training writes there"),
            first.lock(tmp_path, "training"),
        ):
            pass
        other = World(1, 2, 1, torch.device("cpu"))
        with pytest.MonkeyPatch.context() as patch:
            # What the first process would tell: nothing but the exit code to end with.
            tell = lambda told, **_: told.__setitem__(slice(None), [None, 2])  # noqa: E731
            patch.setattr("seal.training.distributed._GRACE", 0.0)
            patch.setattr("torch.distributed.broadcast_object_list", tell)
            with pytest.raises(SystemExit) as stop, other.lock(tmp_path, "training"):
                pass
    assert stop.value.code == 2
    with first.lock(tmp_path, "training"):
        assert (tmp_path / ".writer.lock").exists()
    assert not (tmp_path / ".writer.lock").exists()
