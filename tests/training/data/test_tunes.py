"""Tunes from ABC files, folders and parquet."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.report import DataError, ReadReport
from training.data.tunes import family_of, fault, normalise, read_tunes

MORNING = "X:1\nT:Morning\nM:6/8\nL:1/8\nK:G\n|:GAB dBG|cBA AFD:|\n"
EVENING = "X:2\nT:Evening\nM:4/4\nL:1/8\nK:Dmaj\nd2fd Adfd|e2ge cege|\n"
FEW_NOTES = "fewer than 8 notes"


def lost(report: ReadReport) -> int:
    return sum(report.rejected.values())


def abc_file(folder: Path, content: str | bytes, name: str = "tunes.abc") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def test_a_file_of_several_tunes_is_cut_at_each(tmp_path: Path) -> None:
    tunes, report = read_tunes(abc_file(tmp_path, MORNING + "\n" + EVENING))
    assert tunes["abc"].to_list() == [MORNING, EVENING]
    assert tunes["family"].to_list() == [family_of(MORNING), family_of(EVENING)]
    assert (report.kept, lost(report), report.unit) == (2, 0, "tunes")


def test_a_tune_is_not_cut_where_x_stands_within_a_line(tmp_path: Path) -> None:
    tune = MORNING.replace("T:Morning", "T:Morning X:2")
    assert read_tunes(abc_file(tmp_path, tune))[0]["abc"].to_list() == [tune]


@pytest.mark.parametrize("end", ["\r\n", "\r"], ids=["Windows", "old Macintosh"])
def test_other_line_ends_are_read_as_plain_ones(tmp_path: Path, end: str) -> None:
    path = abc_file(tmp_path, (MORNING + "\n" + EVENING).replace("\n", end))
    tunes, report = read_tunes(path)
    assert tunes["abc"].to_list() == [MORNING, EVENING]
    assert (report.kept, lost(report)) == (2, 0)


def test_a_latin_1_file_is_read_with_its_accents_and_nothing_counts_as_lost(tmp_path: Path) -> None:
    tune = MORNING.replace("Morning", "Les Misères d'été")
    tunes, report = read_tunes(abc_file(tmp_path, tune.encode("latin-1")))
    assert tunes["abc"].to_list() == [tune]
    assert (report.kept, lost(report)) == (1, 0)


def test_a_latin_1_file_does_not_change_how_others_are_read(tmp_path: Path) -> None:
    accented = [MORNING.replace("Morning", "Misère"), EVENING.replace("Evening", "Été")]
    abc_file(tmp_path, accented[0].encode("latin-1"), "a.abc")
    abc_file(tmp_path, accented[1].encode("utf-8"), "b.abc")
    assert read_tunes(tmp_path)[0]["abc"].to_list() == accented


def test_a_replacement_character_in_good_utf_8_spoils_no_other_character(tmp_path: Path) -> None:
    """Tunes copied off the web hold U+FFFD as such."""
    tune = MORNING.replace("Morning", "Caf\ufffd de l'été")
    assert read_tunes(abc_file(tmp_path, tune))[0]["abc"].to_list() == [tune]


def test_a_folder_is_read_with_all_its_folders_in_order_of_names(tmp_path: Path) -> None:
    abc_file(tmp_path, EVENING, "b/deep/one.abc")
    abc_file(tmp_path, MORNING, "a/two.abc")
    abc_file(tmp_path, "read me", "README.txt")
    assert read_tunes(tmp_path)[0]["abc"].to_list() == [MORNING, EVENING]


def test_what_stands_before_the_first_tune_is_no_tune(tmp_path: Path) -> None:
    tunes, report = read_tunes(abc_file(tmp_path, "%abc-2.1\n% collected by hand\n\n" + MORNING))
    assert tunes["abc"].to_list() == [MORNING]
    assert (report.kept, lost(report)) == (1, 0)


def test_a_tune_without_a_number_is_not_lost_silently(tmp_path: Path) -> None:
    abc_file(tmp_path, MORNING, "good.abc")
    abc_file(tmp_path, EVENING.removeprefix("X:2\n"), "numberless.abc")
    _, report = read_tunes(tmp_path)
    assert report.kept + lost(report) == 2


def test_text_that_is_no_tune_is_counted_and_a_file_of_nothing_else_refused(tmp_path: Path) -> None:
    _, report = read_tunes(abc_file(tmp_path, "Collected by hand.\nM:4/4\n\n" + MORNING))
    assert report.rejected == {"text before the first tune, which begins with X:": 1}
    for content in ("", MORNING.removeprefix("X:1\n"), MORNING.encode("utf-16"), "  " + MORNING, "X:1\nK:C\n"):
        with pytest.raises(DataError, match=r"no usable tune in .*tunes\.abc"):
            read_tunes(abc_file(tmp_path, content))


@pytest.mark.parametrize("name", ["abc", "family"])
def test_a_column_that_is_no_text_is_refused_by_name(tmp_path: Path, name: str) -> None:
    pl.DataFrame({"abc": [MORNING], "family": ["a"], name: [5]}).write_parquet(tmp_path / "tunes.parquet")
    with pytest.raises(DataError, match=rf"column {name} is Int64, which is no string"):
        read_tunes(tmp_path)


def test_malformed_tunes_are_counted_with_their_reason_and_none_is_lost(tmp_path: Path) -> None:
    texts = [MORNING, "X:3\nT:Keyless\nABcd efga|\n", "X:4\nK:C\nABC DEFG|\n", "X:5\nK:C\n", "X:6\n", EVENING]
    tunes, report = read_tunes(abc_file(tmp_path, "\n".join(texts)))
    assert tunes["abc"].to_list() == [MORNING, EVENING]
    assert report.rejected == {"no key field (K:)": 2, FEW_NOTES: 2}
    assert report.kept + lost(report) == len(texts)


def test_parquet_keeps_its_families_and_makes_those_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "any.parquet"
    pl.DataFrame({"abc": [MORNING, EVENING, None, ""], "family": ["mine", None, "x", "y"]}).write_parquet(path)
    tunes, report = read_tunes(path)
    assert tunes.rows() == [(MORNING, "mine"), (EVENING, family_of(EVENING))]
    assert report.rejected == {"empty": 2}


def test_parquet_of_tunes_alone_is_enough(tmp_path: Path) -> None:
    pl.DataFrame({"abc": [MORNING]}).write_parquet(tmp_path / "tunes.parquet")
    tunes, report = read_tunes(tmp_path)
    assert tunes.rows() == [(MORNING, family_of(MORNING))]
    assert report.source == str(tmp_path / "tunes.parquet")


def test_a_missing_file_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.abc: no such file or folder; expected a \.abc file"):
        read_tunes(tmp_path / "none.abc")


def test_another_kind_of_file_or_an_empty_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tunes.txt"
    path.write_text(MORNING, "utf-8")
    for wrong in (path, tmp_path):
        with pytest.raises(DataError, match="no ABC file; expected"):
            read_tunes(wrong)


def test_a_missing_column_is_named_with_those_found(tmp_path: Path) -> None:
    path = tmp_path / "any.parquet"
    pl.DataFrame({"tune": [MORNING]}).write_parquet(path)
    with pytest.raises(DataError, match=r"no column 'abc', found \['tune'\]"):
        read_tunes(path)


@pytest.mark.parametrize("content", [b"", b"this is no parquet"])
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"junk\.parquet"):
        read_tunes(path)


def test_typographic_marks_are_made_plain() -> None:
    assert normalise("\n T:It’s “so” – ok\u00a0\tyes  \r\n\r\n") == 'T:It\'s "so" - ok  yes\n'


@settings(deadline=None)
@given(st.text(alphabet="AB\r\n\t ’“–é", max_size=30))
def test_a_normal_tune_stays_as_it_is(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert "\r" not in once
    assert once.endswith("\n")


@pytest.mark.parametrize(
    "body",
    [
        "ABCD EFGA|",
        "A,B,C,D, E'F'G'a'|",
        "|:ABCD|EFGA:|\n",
        "DEFGABcd:|",
        '"Am"AB"G"CD {ga}EF !trill!GA|',
        "ABCD!\nEFGA!",
    ],
    ids=["plain", "octaves", "repeats", "a line that ends in a repeat", "ornaments", "line breaks of abc2win"],
)
def test_a_tune_of_eight_notes_can_be_learned_from(body: str) -> None:
    assert fault(f"X:1\nK:C\n{body}\n") is None


@pytest.mark.parametrize(
    "body",
    [
        "ABC DEFG|",
        "T:A B C D E F G A\nABC DEF|",
        "% A B C D E F G A\nABC|",
        '"A""B""C""D""E""F""G""A"ABC|',
        "{ABCDEFGA}ABC|",
        "w:a b c d e f g a\nABC|",
    ],
    ids=["seven", "title", "comment", "chords", "grace notes", "words"],
)
def test_what_is_not_played_does_not_count_as_notes(body: str) -> None:
    assert fault(f"X:1\nK:C\n{body}\n") == FEW_NOTES


@pytest.mark.parametrize(("text", "reason"), [(None, "empty"), ("", "empty"), ("X:1\nT:K:\nABcd efga|", "no key field (K:)")])
def test_a_text_that_is_no_tune_has_its_reason(text: str | None, reason: str) -> None:
    assert fault(text) == reason


@pytest.mark.parametrize(
    "other",
    [
        "X:9\nT:Another name\nR:reel\nK:Am\nGABd BGcB|AAFD GABd|GABC\n",
        'X:9\nK:G\ng,a2bd\' {ef}bg"Am"cb|a/a!trill!fd gabd|ccccccc\n',
        "X:9\nK:G\n% GGGG\nGABd BGcB|\nw: la di da\nAAFD GABd|\n",
    ],
    ids=["other fields and a later end", "other octaves, lengths and ornaments", "comments and words"],
)
def test_settings_of_one_tune_are_one_family(other: str) -> None:
    assert family_of(other) == family_of("X:1\nT:First\nK:G\nGABd BGcB|AAFD GABd|dddd\n")


def test_tunes_that_begin_otherwise_are_other_families() -> None:
    assert family_of(MORNING) != family_of(EVENING)
    assert family_of("X:1\nK:G\nGABd BGcB|\n") != family_of("X:1\nK:G\nGABd BGcA|\n")
