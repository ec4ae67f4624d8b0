"""Reviews: the Kaggle file, the original aclImdb folder or parquet -> texts, labels and movies.

`movie` groups reviews that must not be torn apart by a split; where the source does not name it, copies of one text do.
"""

from pathlib import Path

import polars as pl

from training.data.report import DataError, ReadReport, existing

FORMATS = (
    "'IMDB Dataset.csv' (Kaggle, columns review and sentiment), an aclImdb folder, a .parquet file with text and label, "
    "or a folder that holds train.parquet"
)
_LABELS = {"positive": 1, "negative": 0, "pos": 1, "neg": 0, "1": 1, "0": 0}


def read_reviews(path: Path) -> tuple[pl.DataFrame, ReadReport]:
    """Columns `text` str, `label` 0 or 1, `movie` str, `official_test` bool. Raises DataError."""
    existing(path, FORMATS)
    if path.is_dir() and (path / "train.parquet").exists():
        path = path / "train.parquet"
    if path.is_dir():
        rows = _read_folder(path)
    elif path.suffix == ".parquet":
        rows = pl.read_parquet(path)
    elif path.suffix == ".csv":
        rows = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True).rename(
            {"review": "text", "sentiment": "label"}, strict=False
        )
    else:
        raise DataError(f"{path}: unknown kind of file; expected {FORMATS}")
    if missing := {"text", "label"} - set(rows.columns):
        raise DataError(f"{path}: no column {sorted(missing)}, found {rows.columns}; expected {FORMATS}")
    return _checked(rows, str(path))


def read_unlabelled(path: Path) -> list[str]:
    """Texts without a label that stand beside the labelled ones: unsup.parquet or aclImdb's unsup folder; else none."""
    folder = path if path.is_dir() else path.parent
    if (folder / "unsup.parquet").exists():
        return pl.read_parquet(folder / "unsup.parquet", columns=["text"])["text"].drop_nulls().to_list()
    return [file.read_text("utf-8") for file in sorted((folder / "train" / "unsup").glob("*.txt"))]


def _checked(rows: pl.DataFrame, source: str) -> tuple[pl.DataFrame, ReadReport]:
    report = ReadReport(source, "reviews")
    rows = rows.with_columns(
        pl.col("text").cast(pl.String),
        pl.col("label").cast(pl.String).str.to_lowercase().str.strip_chars().replace_strict(_LABELS, default=None),
    )
    blank = pl.col("text").is_null() | (pl.col("text").str.strip_chars() == "")
    report.reject("no text", rows.filter(blank).height)
    report.reject("label is not one of positive, negative, 1, 0", rows.filter(~blank & pl.col("label").is_null()).height)
    rows = rows.filter(~blank & pl.col("label").is_not_null())
    report.kept = rows.height
    movie = pl.col("movie") if "movie" in rows.columns else pl.col("text").hash().cast(pl.String)
    test = pl.col("official_test") if "official_test" in rows.columns else pl.lit(False)
    return rows.select("text", pl.col("label").cast(pl.Int8), movie=movie, official_test=test), report


def _read_folder(folder: Path) -> pl.DataFrame:
    """aclImdb: {train,test}/{pos,neg}/NUMBER_RATING.txt, and urls_{pos,neg}.txt whose line NUMBER names the movie."""
    rows = []
    for half in ("train", "test"):
        for label in ("pos", "neg"):
            urls = folder / half / f"urls_{label}.txt"
            movies = urls.read_text("utf-8").splitlines() if urls.exists() else []
            for file in sorted((folder / half / label).glob("*.txt")):
                number = int(file.stem.split("_")[0])
                movie = movies[number] if number < len(movies) else file.name
                rows.append((file.read_text("utf-8"), label, movie, half == "test"))
    if not rows:
        raise DataError(f"{folder}: no train/pos/*.txt; expected {FORMATS}")
    return pl.DataFrame(rows, schema=["text", "label", "movie", "official_test"], orient="row")
