"""Damaged benchmarks and answers: an error that names the file, or the scores that are deserved."""

from __future__ import annotations

import pytest
from score_fuzz import Clean, run_case, run_cases
from scored_subjects import subjects
from scored_word_subjects import word_subjects

SUBJECTS = [*subjects(), *word_subjects()]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_whole_files_are_scored_as_they_deserve_and_damaged_ones_not_otherwise(subject, tmp_path):
    clean = Clean(subject)
    clean.write(tmp_path / "clean")
    assert clean.credits(tmp_path / "clean") == clean.deserved
    assert run_case(subject, tmp_path / "case", (13, len(subject.rows)))


@pytest.mark.slow
def test_no_damage_is_scored_wrongly(tmp_path):
    ends, failures = run_cases(tmp_path, 4000, 0, SUBJECTS)
    assert not failures, "\n".join(failures)
    assert ends["error"] > 1500 and ends["scored"] > 500 and ends["unchanged"] > 300
