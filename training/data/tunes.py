"""Tunes: any file or folder of ABC notation, or parquet with a column `abc` -> texts and their families."""

import hashlib
import re
from pathlib import Path

import polars as pl

from training.data.report import DataError, ReadReport, existing

FORMATS = "a .abc file, a folder of them, a .parquet file with a column abc, or a folder that holds tunes.parquet"

_NEW_TUNE = re.compile(r"^(?=X:)", re.MULTILINE)
_FIELD = re.compile(r"^(?:[A-Za-z+]:|%).*$|\"[^\"]*\"|![^!]*!|\{[^}]*\}", re.MULTILINE)
_NOTES = re.compile(r"[A-Ga-g]")
_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "\t": " ", "\u00a0": " "})
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
        rows = pl.read_parquet(path)
        if "abc" not in rows.columns:
            raise DataError(f"{path}: no column 'abc', found {rows.columns}; expected {FORMATS}")
        texts = rows["abc"].to_list()
        families = rows["family"].to_list() if "family" in rows.columns else [None] * len(texts)
    else:
        texts = _split_files(path, report)
        families = [None] * len(texts)
    kept = []
    for text, family in zip(texts, families, strict=True):
        if reason := fault(text):
            report.reject(reason)
        else:
            abc = normalise(text)
            kept.append((abc, family or family_of(abc)))
    report.kept = len(kept)
    return pl.DataFrame(kept, schema={"abc": pl.String, "family": pl.String}, orient="row"), report


def normalise(abc: str) -> str:
    """Plain line ends, typewriter quotes and spaces, one final line end: what the model reads."""
    return abc.replace("\r\n", "\n").replace("\r", "\n").translate(_TYPOGRAPHIC).strip("\n ") + "\n"


def fault(abc: str | None) -> str | None:
    """Why a text cannot be learned from as a tune, or None."""
    if not abc:
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
        text = file.read_bytes().decode("utf-8", errors="replace")
        if "\ufffd" in text:
            report.reject("bytes that are no UTF-8, read as Latin-1 instead (kept)", text.count("\ufffd"))
            text = file.read_bytes().decode("latin-1")
        texts += [part for part in _NEW_TUNE.split(text) if part.startswith("X:")]
    return texts
