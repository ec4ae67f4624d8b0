"""Tunes: any file or folder of ABC notation, or parquet with a column `abc` -> texts and their families."""

import hashlib
import re
from pathlib import Path

import polars as pl

from app.tasks.music import plain
from training.data.report import DataError, ReadReport, existing, read_parquet

FORMATS = "a .abc file, a folder of them, a .parquet file with a column abc, or a folder that holds tunes.parquet"

_NEW_TUNE = re.compile(r"^(?=X:)", re.MULTILINE)
_FIELD = re.compile(r"^(?:[A-Za-z+]:|%).*$|\"[^\"\n]*\"|![^!\n]*!|\{[^}\n]*\}", re.MULTILINE)
_TEXT = re.compile(r"^(?!%|[A-Za-z]:)[^\S\n]*\S", re.MULTILINE)
_NOTES = re.compile(r"[A-Ga-g]")
# Two settings of one tune agree on their first bars and drift apart later.
_FAMILY_NOTES = 16
_FEWEST_NOTES = 8


def read_tunes(path: Path) -> tuple[pl.DataFrame, ReadReport]:
    """Columns `abc` str and `family` str: tunes of a family begin alike and belong in one split. Raises DataError."""
    existing(path, FORMATS)
    if path.is_dir() and (path / "tunes.parquet").exists():
        path = path / "tunes.parquet"
    report = ReadReport(str(path), "tunes")
    if path.suffix == ".parquet":
        rows = read_parquet(path, FORMATS)
        if "abc" not in rows.columns:
            raise DataError(f"{path}: no column 'abc', found {rows.columns}; expected {FORMATS}")
        for name in {"abc", "family"} & {*rows.columns}:
            if rows[name].dtype not in {pl.String, pl.Null}:
                raise DataError(f"{path}: column {name} is {rows[name].dtype}, which is no string")
        texts = rows["abc"].to_list()
        families = rows["family"].to_list() if "family" in rows.columns else [None] * len(texts)
    else:
        texts = _split_files(path, report)
        families = [None] * len(texts)
    kept = []
    for text, family in zip(texts, families, strict=True):
        abc = normalise(text or "")
        if reason := fault(abc):
            report.reject(reason)
        else:
            kept.append((abc, family or family_of(abc)))
    report.kept = len(kept)
    if not kept:
        raise DataError(f"no usable tune in {report}; expected {FORMATS}")
    return pl.DataFrame(kept, schema={"abc": pl.String, "family": pl.String}, orient="row"), report


def normalise(abc: str) -> str:
    """One final line end, and the text as the service reads it."""
    return plain(abc).replace("\r", "\n").strip("\n ") + "\n"


def fault(abc: str | None) -> str | None:
    """Why a text cannot be learned from as a tune, or None."""
    if not abc or not abc.strip():
        return "empty"
    if not re.search(r"^K:", abc, re.MULTILINE):
        return "no key field (K:)"
    if len(_NOTES.findall(_FIELD.sub("", abc))) < _FEWEST_NOTES:
        return f"fewer than {_FEWEST_NOTES} notes"
    return None


def family_of(abc: str) -> str:
    """A name shared by tunes whose first notes are the same, whatever their octave, length or ornaments."""
    notes = "".join(_NOTES.findall(_FIELD.sub("", abc))[:_FAMILY_NOTES]).lower()
    return hashlib.sha256(notes.encode()).hexdigest()[:16]


def _split_files(path: Path, report: ReadReport) -> list[str]:
    files = sorted(path.rglob("*.abc")) if path.is_dir() else [path]
    if not files or any(file.suffix != ".abc" for file in files):
        raise DataError(f"{path}: no ABC file; expected {FORMATS}")
    texts = []
    for file in files:
        header, *tunes = _NEW_TUNE.split(_decoded(file, report))
        if re.search(r"^K:", header, re.MULTILINE):
            report.reject("a tune without its number (X:)")
        elif _TEXT.search(header):
            report.reject("text before the first tune, which begins with X:")
        texts += tunes
    return texts


def _decoded(file: Path, report: ReadReport) -> str:
    """The text with plain line ends; collections from before UTF-8 are Latin-1."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        report.note(f"{file.name} is no UTF-8 and was read as Latin-1")
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
