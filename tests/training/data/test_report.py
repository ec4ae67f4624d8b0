"""What a report of reading says."""

from pathlib import Path

import pytest

from training.data.report import DataError, ReadReport, existing


def test_a_report_counts_by_reason() -> None:
    report = ReadReport("file.csv", "hours", kept=7)
    report.reject("too long")
    report.reject("too long", 2)
    report.reject("no gauge")
    assert str(report) == "file.csv: 7 hours kept; 1 rejected: no gauge, 3 rejected: too long"
    assert report.as_json() == {
        "source": "file.csv",
        "unit": "hours",
        "kept": 7,
        "rejected": {"too long": 3, "no gauge": 1},
    }


def test_a_report_without_rejections_says_so() -> None:
    report = ReadReport("file.csv", "hours", kept=7)
    report.reject("too long", 0)
    assert str(report) == "file.csv: 7 hours kept; none rejected"
    assert report.as_json()["rejected"] == {}


def test_a_missing_path_is_named_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file or folder; expected a file of hours"):
        existing(tmp_path / "none.csv", "a file of hours")
    assert existing(tmp_path, "a folder") == tmp_path
