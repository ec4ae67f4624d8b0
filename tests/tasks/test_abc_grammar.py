"""What the grammar takes and refuses, character by character; and that whatever it allows comes to a proper end."""

import shutil
import string
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.tasks.abc_grammar import Alphabet, TuneGrammar

END = "\0"
CHARACTERS = sorted({"\n", " ", *string.digits, *string.ascii_letters, *string.punctuation})
VOCABULARY = ["<boundary>", *CHARACTERS]
INDEX = {character: index for index, character in enumerate(VOCABULARY)} | {END: 0}
PLENTY = 800
HEADER = "X:1\nT:Tune\nM:4/4\nL:1/8\nK:G\n"
unhurried = settings(deadline=None, max_examples=30)


def after(text: str) -> TuneGrammar:
    grammar = TuneGrammar(Alphabet(VOCABULARY))
    for character in text:
        grammar.push(INDEX[character])
    return grammar


def may_follow(text: str, left: int = PLENTY) -> set[str]:
    mask = after(text).allowed(left)
    return {character for character, index in INDEX.items() if character != VOCABULARY[0] and mask[index]}


def refused_at(text: str) -> int | None:
    """The position of the first character that the grammar would not have allowed, or None; the end counts as one."""
    grammar = TuneGrammar(Alphabet(VOCABULARY))
    for position, character in enumerate([*text, END]):
        if not grammar.allowed(PLENTY)[INDEX[character]]:
            return position
        grammar.push(INDEX[character])
    return None


def walked(prompt: str, seed: int, left: int) -> tuple[str, bool]:
    """What a uniform draw from the allowed characters adds to the prompt; whether it came to the end."""
    grammar, chance, added = after(prompt), np.random.default_rng(seed), ""
    for to_go in range(left, 0, -1):
        mask = grammar.allowed(to_go)
        assert mask.any()
        index = int(chance.choice(np.flatnonzero(mask)))
        if index == 0:
            return added, True
        added += VOCABULARY[index]
        grammar.push(index)
    return added, False


@pytest.mark.parametrize(
    "tune",
    [
        HEADER + "ABcd efga|ABcd efga|]\n",
        HEADER + "A|ABcd efga|A8|A8|AB c2 d3||\n",
        HEADER + "|:A|ABcd efga|AB c2 d3:|\n|:A|ABcd efga|A8|A8|AB c2 d3:|\n",
        HEADER + "|:ABcd efga|A8::ABcd efga|A8:|\n",
        HEADER + "|:A8|ABcd efga|1 ABcd efga:|2 ABcd efga||\n",
        HEADER + "|:A8|ABcd efga |[1 ABcd efga :| [2 ABcd efga |]\n",
        HEADER + "(3ABc (3def A>B c<d|(AB)(cd) [ceg]4|A4-A4|]\n",
        HEADER + "A3/2B/ c/4d/4e/ f2 z2|^A_B=c'D, E4-|E8|]\n",
        HEADER + '"Am"A4 "D7/F#"{gf}a4|~A4 .B2Tc2|uA4 vB4|]\n',
        HEADER + "ABcd efga|\\\nABcd efga|!\nABcd efga|]!\n",
        HEADER + "P:A\n|:ABcd efga|A8:|\nP:B\nA8|A8|]\n",
        "X: 12\nT: A B\nR: reel\nQ:1/4=120\nM:C|\nL:1/8\nK:A Dorian\nABcd efga|]\n",
        "X:1\nT:a\nM:6/8\nK:Bbm\nABc def|]\n",
        "X:1\nT:a\nM:3/8\nL:1/4\nK:D\nAB/|c3/2|]\n",
        "X:1\nT:a\n% a comment\nR:hornpipe\nM:2/4\nL:1/16\nZ:by: me\nK:D\nA4B4|]\n",
    ],
)
def test_a_well_formed_tune_is_taken(tune: str) -> None:
    assert refused_at(tune) is None


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("", "AKT\n" + END),  # X comes first
        ("X:1\n", "AKM"),  # then T
        ("X:1\nT:a\n", "K" + END),  # K waits for M
        ("X:1\nT:", "\n:|"),
        ("X:1\nT:a\nM:6", "\n2"),
        ("X:1\nT:a\nM:6/8\nK:H", "m"),
        ("X:1\nT:a\nM:6/8\nR:", "hH"),  # a hornpipe in six eighths
        ("X:1\nT:a\nR:hornpipe\nM:C", "|"),
        (HEADER, "\n:)]2>" + END),
        (HEADER + "ABcd efg|ABcd efg", "|:"),  # a bar too short by an eighth
        (HEADER + "A8|ABcd efga", 'BzT("{['),  # too long
        (HEADER + "A8|ABcd efg7/4", "{|3"),
        (HEADER + "A8|ABcd efga|", "12" + END),  # no repeat was begun
        (HEADER + "A8|ABcd efga", ":"),
        (HEADER + "|:A8|ABcd efga|", "]" + END),  # a repeat is open
        (HEADER + "|:A8|A8|1 A8|", "1]|:"),
        (HEADER + "|:A8|A8|1 A8:|", "3|\nA" + END),  # the second ending has to come
        (HEADER + "|:A|A8|ABcd efga", ":"),  # pickup and last bar make nine eighths
        (HEADER + "A8|A7", "246"),
        (HEADER + "A8|A7A", "2"),
        (HEADER + "A", "'5"),
        (HEADER + "a", ","),
        (HEADER + "A3", "><"),  # nine sixteenths are no dotted note
        (HEADER + "A>", "> |\n)"),
        (HEADER + "A>B", "><2/"),
        (HEADER + "A2-", "Bz)>\n"),
        (HEADER + "(3A2B", "/3|\n "),
        (HEADER + "(A", "]"),
        (HEADER + "(A ", ")"),  # abcjs wants it right after a note
        (HEADER + "(A8", ":"),
        (HEADER + "(A8|A8", "| "),
        (HEADER + "(A(", "AB("),
        (HEADER + "|:A8|A8|1 ", "1:"),
        (HEADER + "|:A8|A8| [1 ", "1"),
        (HEADER + "{", "}z|"),
        (HEADER + "{a}", "z| [."),
        (HEADER + "{ab}A", "/"),  # the grace notes would last longer than their host
        (HEADER + "[", "]z|"),
        (HEADER + '"', 'H" '),
        (HEADER + '"Am', "x "),
        (HEADER + "A8|]", END),  # the line ends first
        (HEADER + "A8|]\n", "\n"),
        (HEADER + "A8|\n", "\n" + END),
        (HEADER + "A8|\\", " A"),
        (HEADER + "A8|\nA", ":"),  # would read like a field
        ("X:1\nT:a\nM:3/2\nL:1/8\nK:D\n" + '"', "AG"),  # abc2midi has no accompaniment for it
        ("X:1\nT:a\nM:8/4\nL:1/8\nK:D\n" + '"', "AG"),
        ("X:1\nT:a\nM: 9 / 4\nL:1/8\nK:D\n" + '"', "AG"),
        ("X:1\nT:a\nM:none\nL:1/8\nK:D\n" + '"', "AG"),
        (HEADER + "M:3/2\n" + '"', "AG"),
        (HEADER + '"G/', '"'),
        (HEADER + "[M:3/4]ABc def", "ABz" + END),
        (HEADER + "[|:A8|A8|", "]" + END),  # a repeat is open
        (HEADER + "A8|A8|1 A8|", "]|" + END),  # as one is that the tune began
        (HEADER + "ABcd ef|", ",'/23"),  # a bar too short: a note, whatever comes of it
        (HEADER + "A8(", ",'/2|"),
        (HEADER + "A8:|\n[2 ABcd", "]"),
        ("X:1\nT:a\nP:AB\nM:4/4\nL:1/8\nK:G\n", "ABCDz|"),  # part A comes first
        ("X:1\nT:a\nP:AB\nM:4/4\nL:1/8\nK:G\nP:A\nA8|A8||\nP:", "ACD"),
        ("X:1\nT:a\nP:AB\nM:4/4\nL:1/8\nK:G\nP:A\nA8|A8||\n", END),
        ("X:1\nT:a\nM:4/4\nL:1/16\nK:D\n" + '|:A|A16|A15:|"', "AG"),  # the part begins within an eighth
    ],
)
def test_what_would_be_malformed_is_refused(text: str, refused: str) -> None:
    assert not may_follow(text) & set(refused)


def test_the_end_is_refused_until_a_final_bar_line_and_its_line_end() -> None:
    for text in ("", "A8", "A8|", "A8|]", "A8|\n", "|:A8|A8||\n", "A8|]\n "):
        assert END not in may_follow(HEADER + text)
    for text in ("A8|]\n", "A8||\n", "|:A8|A8:|\n", "|:A8|A8|1A8:|2A8||\n", "A8|]!\n"):
        assert END in may_follow(HEADER + text)


def test_a_length_is_finished_to_what_the_bar_takes() -> None:
    assert may_follow(HEADER + "A8|A6AB/z") == {"/"}
    assert may_follow(HEADER + "(3A2B") == {",", "2"}


def test_a_tie_leads_to_the_same_note() -> None:
    assert may_follow(HEADER + "A8|A2-") == {"A", " "}
    assert may_follow(HEADER + "A,8-|A") == {","}
    assert "B" not in may_follow(HEADER + "A8-|\n")


def test_what_was_begun_before_the_hurry_is_gone_on_with() -> None:
    assert may_follow(HEADER + "(A(", left=80) == {"3"}
    assert may_follow(HEADER + "((", left=80) == {"3"}
    assert may_follow(HEADER + "|:A|A8|A7:||", left=80) == {":"}


@pytest.mark.parametrize("tune", ["|:A8|A8:|[ceg]4", "A8|[ceg]4", "|:A8|A8|1A8:|2A8|[ceg]4"])
def test_a_chord_right_after_a_bar_line_begins_a_bar(tune: str) -> None:
    for left in (80, 150, PLENTY):
        following = may_follow(HEADER + tune, left)
        assert following >= {"A", "z"}
        assert not following & set("\\!" + END)  # which stand after a bar line only


@pytest.mark.parametrize(
    "prompt", ["", "X:1\n", HEADER, HEADER + "|:A|", HEADER + "|:A8|A8|1 A8|A", HEADER + "A>", HEADER + '(3{"']
)
@pytest.mark.parametrize("left", [400, 800])
def test_a_walk_ends_in_time(prompt: str, left: int) -> None:
    for seed in range(3):
        assert walked(prompt, seed, left)[1]


@unhurried
@given(
    st.integers(0, 2**32),
    st.integers(100, 400),
    st.sampled_from(["", "A", "|:", "|:A|", "|:A8|A8|1 A8|", "A>", "(3", "(AB", "A2-"]),
)
def test_a_tune_begun_anyhow_ends_within_a_hundred_characters_or_more(seed: int, left: int, beginning: str) -> None:
    assert walked(HEADER + beginning, seed, left)[1]


@unhurried
@given(st.text(CHARACTERS, max_size=80), st.booleans(), st.integers(1, 300), st.integers(0, 2**32))
def test_a_broken_prompt_is_read_and_gone_on_with(prompt: str, with_header: bool, left: int, seed: int) -> None:
    added, _ = walked((HEADER if with_header else "") + prompt, seed, left)
    assert len(added) <= left


@pytest.mark.parametrize(
    "prompt",
    [
        "X:1\nM:0/0\nL:1/0\nK:\nA",
        "M:99999999999/1\nL:1/999999999\nK:G\nAB|", HEADER + "A" + "9" * 5000, HEADER + "A" + "/" * 5000,
        HEADER + "[M:3/4]ABc|!trill!A [K:D] (5ABcde (3:2:3abc x4 Z|:|::|2 & y `",
        HEADER + "K:", HEADER + "M:3/4\nABc", HEADER + "\n",
        HEADER + "A8|]\n\nX:2\nT:b\n", HEADER + "w: la la\nA", "%", "hello\nworld", HEADER + "P:", HEADER + '"^text', "K:G\nA2",
    ],
    ids=lambda prompt: prompt.removeprefix(HEADER)[:16].replace("\n", "~"),
)  # fmt: skip
def test_odd_prompts_do_no_harm(prompt: str) -> None:
    assert walked(prompt, 0, 300)[0]


def test_a_vocabulary_without_the_characters_of_a_tune_is_not_constrained() -> None:
    grammar = TuneGrammar(Alphabet(["<boundary>", *"ABC|"]))
    grammar.push(1)
    assert grammar.allowed(5).all()


def test_after_the_end_another_tune_begins() -> None:
    grammar = after(HEADER + "A8|]\n")
    grammar.push(0)
    assert np.flatnonzero(grammar.allowed(PLENTY)).tolist() == [INDEX["X"]]


METRES = ["6/8", "4/4", "C", "C|", "2/4", "3/4", "9/8", "3/2", "12/8", "5/4", "15/8", "2+3/8"]


@pytest.mark.skipif(shutil.which("abc2midi") is None, reason="needs abc2midi (Debian: abcmidi)")
@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32), st.integers(150, 800), st.sampled_from(METRES), st.sampled_from(["1/4", "1/8", "1/16"]),
    st.sampled_from(["", "A", "|:", "|:A|", "AB"]),
)  # fmt: skip
# Walks that came to a slur within a slur, twice, to an end within a bar, and to a chord name within an eighth.
@example(seed=107303873, left=799, metre="C|", unit="1/8", beginning="AB")
@example(seed=2719640445, left=152, metre="12/8", unit="1/8", beginning="|:")
@example(seed=606659202, left=800, metre="3/4", unit="1/16", beginning="")
@example(seed=18957949, left=471, metre="4/4", unit="1/16", beginning="|:")
def test_abc2midi_has_nothing_to_say_about_a_walk(
    tmp_path_factory: pytest.TempPathFactory, seed: int, left: int, metre: str, unit: str, beginning: str
) -> None:
    prompt = f"X:1\nT:Walk\nM:{metre}\nL:{unit}\nK:G\n{beginning}"
    tune = prompt + walked(prompt, seed, left)[0]
    assert complaints(tmp_path_factory.mktemp("walk") / "tune.abc", tune) == []


@pytest.mark.skipif(shutil.which("abc2midi") is None, reason="needs abc2midi (Debian: abcmidi)")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "prompt",
    [
        "X:1\nT:a\n%\nM:6/8\nL:1/8\nK:G\n",
        "X:1\nT:a\nM:6/8\nL:1/8\n%\nK:G\n",
        "X:1\nT:a\nM:8/4\nL:1/4\nK:G\nA|",
        "X:1\nT:a\nM:10/8\nL:1/8\nK:G\n",
        "X:1\nT:a\nM:5/4\nL:1/8\nK:G\nABc|",
        "X:1\nT:a\nM:none\nL:1/16\nK:G\n",
        "X:1\nT:a\nM: (2 + 2 + 3) / 8\nL:1/8\nK:G\n",
        "X:1\nT:a\nM:3+2/4\nL:1/8\nK:G\n",
        "X:1\nT:a\nP:AABB\nM:4/4\nL:1/8\nK:G\n",
        "X:1\nT:a\nP:ABC\nM:4/4\nL:1/8\nK:G\nP:A\nA8|A8||\n",
        HEADER + "[M:6/8]GAB d2B|",
        HEADER + "ABcd efga|[K:D]",
        HEADER + "[|:d2BG dGBG|",
        HEADER + "d2BG dGBG|FDFA dAFA|1 FDEF ",
        HEADER + "G2|d2BG dGBG|FDFA dAFA|[1 FDEF G2:|\n",
        HEADER + "d2BG dGBG|1 FDEF G4:|\n [2 d2",
        *(HEADER + rest for rest in ("Z|", "Z", "Z4|", "|:Z2|", "ABcd efga|Z", "z8|Z2|\nZ3")),
        *(HEADER + "DEFG A2B2|A4 D4" + repeated for repeated in (":|:", ":|:A2", ":|\n:", ":|\n:A2", ":|", "::")),
        *(HEADER + "ABcd " + chord for chord in ("[f2", "[f2^c", "[f2c2]", "[f/2c/2", "[f/2c/2]", "[f/2c/2]2", "[fc", "[f/")),
        HEADER + "A > ",
        HEADER + '"Bb/',
    ],
)
def test_abc2midi_has_nothing_to_say_after_an_odd_beginning(tmp_path: Path, prompt: str, seed: int) -> None:
    tune = prompt + walked(prompt, seed, PLENTY)[0]
    assert complaints(tmp_path / "tune.abc", tune) == []


def complaints(path: Path, tune: str) -> list[str]:
    path.write_text(tune)
    done = subprocess.run(["abc2midi", path, "-c"], cwd=path.parent, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "Warning" in line or "Error" in line]
