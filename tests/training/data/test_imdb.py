"""Reviews from every public format, and what becomes of rows that cannot be used."""

import csv
from pathlib import Path

import polars as pl
import pytest

from training.data.imdb import read_reviews, read_unlabelled
from training.data.report import DataError, ReadReport

NO_TEXT = "no text"
NO_LABEL = "label is not one of positive, negative, 1, 0, true, false"


def kaggle_file(folder: Path, rows: list[list[str]], header: tuple[str, ...] = ("review", "sentiment")) -> Path:
    """Written as Kaggle's: every field that needs it quoted, quotes doubled, line ends kept."""
    path = folder / "IMDB Dataset.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def acl_folder(folder: Path, urls: bool = True) -> Path:
    """The layout of aclImdb_v1.tar.gz: movie A has a review of each kind, movie B two good ones, movie C is in test."""
    texts = {
        "train/pos/0_9.txt": "Loved it.<br /><br />Twice.",
        "train/pos/1_10.txt": "Superb",
        "train/pos/2_7.txt": "Café noir: good",
        "train/neg/0_2.txt": "Hated it.",
        "test/pos/0_8.txt": "Fine",
        "test/neg/0_1.txt": "Awful",
        "train/unsup/0_0.txt": "Somebody wrote this",
        "train/unsup/1_0.txt": "and this",
    }
    listed = {"train/urls_pos": "BAA", "train/urls_neg": "A", "test/urls_pos": "C", "test/urls_neg": "C"}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    for name, movies in listed.items() if urls else ():
        lines = [f"http://www.imdb.com/title/tt{movie}/usercomments\n" for movie in movies]
        (folder / f"{name}.txt").write_text("".join(lines), "utf-8")
    return folder


def lost(report: ReadReport) -> int:
    return sum(report.rejected.values())


def test_the_kaggle_file_is_read_with_its_quoted_line_ends_and_commas(tmp_path: Path) -> None:
    texts = ['He said "no",\nthen left.<br />', "plain", "ends, with a comma,", "Ünïcödé 🎬"]
    labels = ["positive", "negative", "negative", "positive"]
    reviews, report = read_reviews(kaggle_file(tmp_path, [list(row) for row in zip(texts, labels, strict=True)]))
    assert reviews["text"].to_list() == texts
    assert reviews["label"].to_list() == [1, 0, 0, 1]
    assert not reviews["official_test"].any()
    assert (report.kept, lost(report)) == (4, 0)


def test_a_file_with_windows_line_ends_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "IMDB Dataset.csv"
    path.write_bytes("\ufeffreview,sentiment\r\ncafé,positive\r\nno,negative\r\n".encode())
    reviews, _ = read_reviews(path)
    assert reviews.select("text", "label").rows() == [("café", 1), ("no", 0)]


@pytest.mark.parametrize(
    ("label", "number"),
    [("positive", 1), ("negative", 0), ("pos", 1), ("neg", 0), ("1", 1), ("0", 0), ("Positive", 1), (" NEGATIVE ", 0)],
)
def test_every_spelling_of_a_label_is_known(tmp_path: Path, label: str, number: int) -> None:
    reviews, _ = read_reviews(kaggle_file(tmp_path, [["text", label]]))
    assert reviews["label"].to_list() == [number]


def test_malformed_rows_are_counted_with_their_reason_and_none_is_lost(tmp_path: Path) -> None:
    rows = [
        ["good", "positive"],
        ["", "positive"],
        ["  \n ", "negative"],
        ["", "unsure"],
        ["middling", "neutral"],
        ["silent", ""],
        ["cut short"],
        ["bad", "negative"],
    ]
    reviews, report = read_reviews(kaggle_file(tmp_path, rows))
    assert reviews["text"].to_list() == ["good", "bad"]
    assert report.rejected == {NO_TEXT: 3, NO_LABEL: 2, "not 2 fields, as the header has": 1}
    assert report.kept + lost(report) == len(rows)
    assert report.unit == "reviews"
    assert "IMDB Dataset.csv" in report.source


def test_a_row_with_too_many_fields_is_counted_rather_than_cut_short(tmp_path: Path) -> None:
    """An unquoted comma would else leave the beginning of a text with a label out of its middle."""
    path = tmp_path / "reviews.csv"
    path.write_text("review,sentiment\nIt begins, positive, but it ends badly,negative\nfine,positive\n", "utf-8")
    reviews, report = read_reviews(path)
    assert reviews["text"].to_list() == ["fine"]
    assert (report.kept, lost(report)) == (1, 1)


def test_copies_of_one_text_are_one_group_and_other_texts_are_not(tmp_path: Path) -> None:
    rows = [["same", "positive"], ["other", "positive"], ["same", "negative"]]
    first, second, third = read_reviews(kaggle_file(tmp_path, rows))[0]["movie"].to_list()
    assert first == third
    assert first != second


def test_the_original_folder_names_its_movies_and_its_test_half(tmp_path: Path) -> None:
    reviews, report = read_reviews(acl_folder(tmp_path / "aclImdb"))
    got = {
        text: (label, movie.split("/")[4], test)
        for text, label, movie, test in reviews.select("text", "label", "movie", "official_test").rows()
    }
    assert got == {
        "Loved it.<br /><br />Twice.": (1, "ttB", False),
        "Superb": (1, "ttA", False),
        "Café noir: good": (1, "ttA", False),
        "Hated it.": (0, "ttA", False),
        "Fine": (1, "ttC", True),
        "Awful": (0, "ttC", True),
    }
    assert (report.kept, lost(report)) == (6, 0)


def test_the_test_half_alone_is_read_too(tmp_path: Path) -> None:
    folder = tmp_path / "aclImdb"
    (folder / "test" / "pos").mkdir(parents=True)
    (folder / "test" / "pos" / "0_8.txt").write_text("Fine", "utf-8")
    reviews, _ = read_reviews(folder)
    assert reviews["official_test"].to_list() == [True]


def test_an_empty_review_in_the_folder_is_counted(tmp_path: Path) -> None:
    folder = acl_folder(tmp_path / "aclImdb")
    (folder / "train/pos/1_10.txt").write_text(" \n", "utf-8")
    _, report = read_reviews(folder)
    assert report.rejected == {NO_TEXT: 1}
    assert report.kept == 5


def test_without_a_list_of_movies_copies_of_one_text_are_one_group(tmp_path: Path) -> None:
    folder = acl_folder(tmp_path / "aclImdb", urls=False)
    (folder / "train/pos/1_10.txt").write_text("Hated it.", "utf-8")  # as train/neg/0_2.txt
    reviews, _ = read_reviews(folder)
    same = reviews.filter(pl.col("text") == "Hated it.")["movie"].to_list()
    assert len(same) == 2
    assert len(set(same)) == 1
    assert reviews["movie"].n_unique() == 5


@pytest.mark.parametrize("place", ["train/pos/0_9.txt", "train/urls_pos.txt", "train/unsup/0_0.txt"])
def test_a_file_of_the_folder_that_is_no_utf_8_is_named(tmp_path: Path, place: str) -> None:
    for name in ("train/pos/0_9.txt", place):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"caf\xe9 good" if name == place else b"good")
    with pytest.raises(DataError, match=rf"{place}: no UTF-8: .* at byte 3"):
        (read_unlabelled if "unsup" in place else read_reviews)(tmp_path)


def test_reviews_of_one_label_are_told_so(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\na,1\nb,1\n")
    assert str(read_reviews(path)[1]).endswith("none rejected; all are positive")


def test_a_file_in_the_folder_that_is_no_review_is_counted(tmp_path: Path) -> None:
    """Such as the companions that macOS leaves beside every file."""
    folder = acl_folder(tmp_path / "aclImdb")
    (folder / "train/pos/._0_9.txt").write_bytes(b"\x00\x05\x16\x07")
    _, report = read_reviews(folder)
    assert (report.kept, lost(report)) == (6, 1)


def test_parquet_keeps_its_movies_and_official_test(tmp_path: Path) -> None:
    path = tmp_path / "any.parquet"
    table = {"text": ["a", "b"], "label": [1, 0], "movie": ["x", "y"], "official_test": [False, True]}
    pl.DataFrame(table).write_parquet(path)
    assert read_reviews(path)[0].to_dict(as_series=False) == table


def test_parquet_with_text_and_label_alone_is_enough_and_missing_values_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "any.parquet"
    pl.DataFrame({"text": ["a", None, "c", "d"], "label": [1, 0, None, 7]}).write_parquet(path)
    reviews, report = read_reviews(path)
    assert reviews.select("text", "label", "official_test").rows() == [("a", 1, False)]
    assert report.rejected == {NO_TEXT: 1, NO_LABEL: 2}


@pytest.mark.parametrize("labels", [[True, False], [1.0, 0.0], ["True", "0"], [1, 0]])
def test_parquet_has_labels_of_any_type(tmp_path: Path, labels: list[object]) -> None:
    path = tmp_path / "any.parquet"
    pl.DataFrame({"text": ["a", "b"], "label": labels}).write_parquet(path)
    assert read_reviews(path)[0]["label"].to_list() == [1, 0]


@pytest.mark.parametrize(("column", "value"), [("text", ["a"]), ("label", [1]), ("official_test", "yes")])
def test_a_column_of_another_kind_is_refused_by_name(tmp_path: Path, column: str, value: object) -> None:
    path = tmp_path / "any.parquet"
    pl.DataFrame({"text": ["a"], "label": [1], column: [value]}).write_parquet(path)
    with pytest.raises(DataError, match=f"column {column} is (List|String).*which is no (string|boolean)"):
        read_reviews(path)


@pytest.mark.parametrize("column", [{"text": [["a"]]}, {"review": ["a"]}])
def test_unlabelled_texts_that_are_none_are_refused(tmp_path: Path, column: dict[str, list[object]]) -> None:
    pl.DataFrame(column).write_parquet(tmp_path / "unsup.parquet")
    with pytest.raises(DataError, match=r"unsup\.parquet: (column text is List|no column \['text'\])"):
        read_unlabelled(tmp_path / "train.parquet")


def test_a_folder_with_train_parquet_is_read_from_it(tmp_path: Path) -> None:
    pl.DataFrame({"text": ["a"], "label": ["pos"]}).write_parquet(tmp_path / "train.parquet")
    reviews, report = read_reviews(tmp_path)
    assert reviews["label"].to_list() == [1]
    assert report.source == str(tmp_path / "train.parquet")


def test_a_missing_file_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file or folder; expected 'IMDB Dataset\.csv'"):
        read_reviews(tmp_path / "none.csv")


def test_missing_columns_are_named_with_those_found(tmp_path: Path) -> None:
    path = kaggle_file(tmp_path, [["a", "positive"]], ("comment", "sentiment"))
    with pytest.raises(DataError, match=r"no column \['text'\], found \['comment', 'label'\]"):
        read_reviews(path)


def test_an_unknown_kind_of_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "reviews.xlsx"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"reviews\.xlsx: unknown kind of file; expected"):
        read_reviews(path)


def test_a_folder_without_reviews_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no usable review"):
        read_reviews(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("junk.parquet", b"this is no parquet"),
        ("empty.parquet", b""),
        ("empty.csv", b""),
        ("latin.csv", "review,sentiment\ncafé,positive\n".encode("latin-1")),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_reviews(path)


def test_unlabelled_texts_come_from_the_folder_they_stand_in(tmp_path: Path) -> None:
    assert read_unlabelled(acl_folder(tmp_path / "aclImdb")) == ["Somebody wrote this", "and this"]


def test_unlabelled_texts_come_from_parquet_beside_the_labelled_ones(tmp_path: Path) -> None:
    pl.DataFrame({"text": ["a", None, "b"]}).write_parquet(tmp_path / "unsup.parquet")
    assert read_unlabelled(tmp_path) == ["a", "b"]
    assert read_unlabelled(tmp_path / "train.parquet") == ["a", "b"]


def test_without_unlabelled_texts_there_are_none(tmp_path: Path) -> None:
    assert read_unlabelled(kaggle_file(tmp_path, [["a", "positive"]])) == []


def test_data_is_found_where_it_was_fetched_to(tmp_path: Path) -> None:
    file = kaggle_file(tmp_path, [["good", "positive"], ["bad", "negative"]])
    assert file.name == "IMDB Dataset.csv"
    assert read_reviews(tmp_path)[0]["text"].to_list() == ["good", "bad"]
    file.unlink()
    for name in ("pos", "neg", "unsup"):
        (tmp_path / "aclImdb" / "train" / name).mkdir(parents=True)
        (tmp_path / "aclImdb" / "train" / name / "0_0.txt").write_text(name)
    assert read_reviews(tmp_path)[0]["text"].to_list() == ["pos", "neg"]
    assert read_unlabelled(tmp_path) == ["unsup"]
