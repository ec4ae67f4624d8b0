import os
from pathlib import Path

from app.cpus import available_cpus

CORES = len(os.sched_getaffinity(0))


def test_without_a_quota_it_is_the_affinity(tmp_path: Path) -> None:
    assert available_cpus(tmp_path) == CORES
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert available_cpus(tmp_path) == CORES


def test_a_quota_of_half_a_core_is_one_thread(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert available_cpus(tmp_path) == 1


def test_a_part_of_a_core_is_rounded_up_to_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert available_cpus(tmp_path) == min(2, CORES)


def test_the_older_cgroup_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert available_cpus(tmp_path) == 1
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert available_cpus(tmp_path) == CORES
