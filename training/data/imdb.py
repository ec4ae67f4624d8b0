"""Reviews: the Kaggle file, the original aclImdb folder or parquet -> texts, labels and movies.

`movie` groups reviews that must not be torn apart by a split; where the source does not name it, copies of one text do.
"""

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from training.data.report import DataError, ReadReport, existing, read_parquet

FORMATS = (
    "'IMDB Dataset.csv' (Kaggle, columns review and sentiment), an aclImdb folder, a .parquet file with text and label, "
    "or a folder that holds one of them (train.parquet, 'IMDB Dataset.csv', aclImdb)"
)
_LABELS = {"positive": 1, "negative": 0, "pos": 1, "neg": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0, "true": 1, "false": 0}
_NEEDED = {"text", "label"}
_FILE_NAME = re.compile(r"(\d+)_\d+")
_MOST_CHARACTERS = 10_000_000  # of a csv field; Python's own limit is too small for a text


@dataclass(frozen=True)
class _Row:
    text: str | None
    label: str | None
    movie: str | None = None
    official_test: bool = False


def read_reviews(path: Path) -> tuple[pl.DataFrame, ReadReport]:
    """Columns `text` str, `label` 0 or 1, `movie` str, `official_test` bool. Raises DataError."""
    path = _located(existing(path, FORMATS))
    report = ReadReport(str(path), "reviews")
    if path.is_dir():
        rows = _read_folder(path, report)
    elif path.suffix == ".parquet":
        rows = _read_parquet(path)
    elif path.suffix == ".csv":
        rows = _read_csv(path, report)
    else:
        raise DataError(f"{path}: unknown kind of file; expected {FORMATS}")
    return _checked(rows, report), report


def read_unlabelled(path: Path) -> list[str]:
    """Texts without a label that stand beside the labelled ones: unsup.parquet or aclImdb's unsup folder; else none.

    Raises DataError.
    """
    path = _located(path)
    folder = path if path.is_dir() else path.parent
    if (folder / "unsup.parquet").exists():
        found = _read_columns(folder / "unsup.parquet", {"text"}, {"text": pl.String})
        return found["text"].drop_nulls().to_list()
    return [_read_text(file) for file in sorted((folder / "train" / "unsup").glob("*.txt"))]


def _located(path: Path) -> Path:
    """The data itself, where the path is a folder around it."""
    inside = (path / name for name in ("train.parquet", "IMDB Dataset.csv", "aclImdb"))
    return next((data for data in inside if data.exists()), path)


def _checked(rows: Iterator[_Row], report: ReadReport) -> pl.DataFrame:
    kept = []
    for row in rows:
        label = _LABELS.get((row.label or "").strip().lower())
        if not (row.text or "").strip():
            report.reject("no text")
        elif label is None:
            report.reject("label is not one of positive, negative, 1, 0, true, false")
        else:
            kept.append((row.text, label, row.movie or _fingerprint(row.text or ""), row.official_test))
    report.kept = len(kept)
    if not kept:
        raise DataError(f"no usable review in {report}; expected {FORMATS}")
    if len(labels := {label for _, label, *_ in kept}) == 1:
        report.note(f"all are {'positive' if 1 in labels else 'negative'}")
    schema = {"text": pl.String, "label": pl.Int8, "movie": pl.String, "official_test": pl.Boolean}
    return pl.DataFrame(kept, schema=schema, orient="row")


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _read_csv(path: Path, report: ReadReport) -> Iterator[_Row]:
    csv.field_size_limit(_MOST_CHARACTERS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            names = {"review": "text", "sentiment": "label"}
            header = [names.get(name, name) for name in next(rows, [])]
            _check_columns(path, header, _NEEDED)
            for fields in rows:
                if len(fields) == len(header):
                    yield _Row(fields[header.index("text")], fields[header.index("label")])
                elif fields:
                    report.reject(f"not {len(header)} fields, as the header has")
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: no CSV in UTF-8: {error}; expected {FORMATS}") from error


def _read_parquet(path: Path) -> Iterator[_Row]:
    types = {"text": pl.String, "label": pl.String, "movie": pl.String, "official_test": pl.Boolean}
    for fields in _read_columns(path, _NEEDED, types).iter_rows(named=True):
        yield _Row(**fields)


def _read_columns(path: Path, needed: set[str], types: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """Those of `types` that the file has, in these types. Raises DataError where one is missing or of another kind."""
    table = read_parquet(path, FORMATS)
    _check_columns(path, table.columns, needed)
    columns = {name: kind for name, kind in types.items() if name in table.columns}
    for name, kind in columns.items():
        try:
            table = table.with_columns(pl.col(name).cast(kind))
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{path}: column {name} is {table[name].dtype}, which is no {kind.__name__.lower()}") from error
    return table.select(list(columns))


def _check_columns(path: Path, columns: list[str], needed: set[str]) -> None:
    if missing := needed - set(columns):
        raise DataError(f"{path}: no column {sorted(missing)}, found {columns}; expected {FORMATS}")


def _read_folder(folder: Path, report: ReadReport) -> Iterator[_Row]:
    """aclImdb: {train,test}/{pos,neg}/NUMBER_RATING.txt, and urls_{pos,neg}.txt whose line NUMBER names the movie."""
    for half in ("train", "test"):
        for label in ("pos", "neg"):
            urls = folder / half / f"urls_{label}.txt"
            movies = _read_text(urls).splitlines() if urls.exists() else []
            for file in sorted((folder / half / label).glob("*.txt")):
                if not (name := _FILE_NAME.fullmatch(file.stem)):
                    report.reject("file name is not NUMBER_RATING.txt")
                    continue
                number = int(name[1])
                movie = movies[number] if number < len(movies) else None
                yield _Row(_read_text(file), label, movie, half == "test")


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: no UTF-8: {error.reason} at byte {error.start}") from error
