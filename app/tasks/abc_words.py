"""The finite parts of ABC notation (metres, keys, tempos, chord names, note lengths), asked for character by character."""

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

WHOLE_NOTE = 3 * 5 * 7 * 512
"""Ticks in a whole note: tuplets of 3, 5, 6, 7 and 9, and halves down to the 512th, stay whole numbers."""


class Words:
    """A set of texts: what may follow a prefix, and whether the prefix is one of them."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)
        following: dict[str, set[str]] = {}
        for word in self._words:
            for end in range(len(word)):
                following.setdefault(word[:end], set()).add(word[end])
        self._following = {prefix: "".join(sorted(characters)) for prefix, characters in following.items()}

    def after(self, prefix: str) -> str:
        """The characters that lead on to one of the words."""
        return self._following.get(prefix, "")

    def __contains__(self, text: str) -> bool:
        return text in self._words


METRES = Words(["C", "C|", "2/4", "3/4", "4/4", "5/4", "6/4", "9/4", "2/2", "3/2", "3/8", "5/8", "6/8", "7/8", "9/8", "12/8"])
HORNPIPE_METRES = Words(["C", "2/4", "4/4"])
"""abc2midi refuses a hornpipe in any other metre."""
UNITS = Words(["1/4", "1/8", "1/16"])
TEMPOS = Words(f"{beat}{rate}" for beat in ("", "1/8=", "1/4=", "3/8=", "1/2=", "3/4=") for rate in range(40, 241))
_MODES = ("", "m", "maj", "min", "dor", "mix", "phr", "lyd", "aeo", "Dor", "Mix")
_LONG_MODES = ("Major", "Minor", "Dorian", "Mixolydian", "Phrygian", "Lydian", "Aeolian")
KEYS = Words(
    root + mode
    for root in ("C", "D", "E", "F", "G", "A", "B", "Bb", "Eb", "F#")
    for mode in (*_MODES, *(f" {mode}" for mode in _LONG_MODES), *(f" {mode.lower()}" for mode in _LONG_MODES))
)
_ROOTS = [letter + sign for letter in "ABCDEFG" for sign in ("", "#", "b")]
CHORD_NAMES = Words(
    # Digits are fingerings; the kinds are those that abc2midi knows.
    [*"012345", *(root + kind for root in _ROOTS for kind in ("", "m", "7", "m7", "maj7", "6", "dim", "sus4", "aug"))]
    + [f"{root}{kind}/{bass}" for root in _ROOTS for kind in ("", "m", "7") for bass in _ROOTS]
)
CHORD_GRID = WHOLE_NOTE // 8
"""abc2midi plays chords in eighths, and complains where the last one is cut short."""
_METRES_WITH_CHORDS = {(2, 2), (2, 4), (3, 4), (4, 4), (6, 4), (3, 8), (5, 8), (6, 8), (7, 8), (9, 8), (12, 8)}
"""Those that abc2midi has an accompaniment for, less 5/4 and 7/4, whose last chord it may hold beyond the end."""

_LENGTHS = {"": 4, "2": 8, "3": 12, "4": 16, "6": 24, "7": 28, "8": 32, "12": 48, "16": 64} | {
    "/": 2, "/2": 2, "//": 1, "/4": 1, "3/2": 6, "3/": 6, "3/4": 3,
}  # fmt: skip
"""Length text -> quarters of the unit length. Others, such as 5, cannot be written as one dotted note."""
LONGEST = max(_LENGTHS.values())
_LENGTH = re.compile(r"([0-9]{0,4})(/{0,9})([0-9]{0,4})")
_SUM = re.compile(r"\s*\(?([0-9]{1,2}(?:\s*\+\s*[0-9]{1,2})+)\s*\)?\s*(?=/)")
_METRE = re.compile(r"\s*([0-9]{1,3})\s*/\s*([0-9]{1,3})(?![0-9])")


@lru_cache(maxsize=4096)
def length_moves(prefix: str, least: int, most: int) -> tuple[str, bool]:
    """For a length so far: the characters that lead to one of `least` to `most` quarters; whether it may stay as it is."""
    fitting = [text for text, quarters in _LENGTHS.items() if least <= quarters <= most and text.startswith(prefix)]
    return "".join({text[len(prefix)] for text in fitting if text != prefix}), prefix in fitting


@lru_cache(maxsize=256)
def longest_up_to(quarters: int) -> int:
    """The longest length that can be written as one note, 0 if there is none."""
    return max((length for length in _LENGTHS.values() if length <= quarters), default=0)


@lru_cache(maxsize=1024)
def length_of(text: str) -> Fraction | None:
    """Any length text, in units: 3/2, /, //, 3/. None if it is not one."""
    matched = _LENGTH.fullmatch(text)
    if matched is None or (matched[2] == "" and matched[3]) or (len(matched[2]) > 1 and matched[3]):
        return None
    denominator = int(matched[3]) if matched[3] else 2 ** len(matched[2])
    return Fraction(int(matched[1] or 1), denominator) if denominator else None


def bar_ticks(metre: str) -> int:
    """Ticks in a bar of an M: field's value, also of (2+3)/8; 0 where it names no metre that can be counted."""
    if metre.strip().startswith("C"):
        return WHOLE_NOTE
    matched = _METRE.match(_SUM.sub(lambda parts: str(sum(map(int, parts[1].split("+")))), metre, count=1))
    if matched is None or int(matched[2]) == 0:
        return 0
    return WHOLE_NOTE * int(matched[1]) // int(matched[2])


def unit_ticks(unit: str, bar: int) -> int:
    """Ticks in the unit note length of an L: field's value; without one the metre decides (ABC standard 2.1, 3.1.7)."""
    matched = _METRE.match(unit)
    if matched and int(matched[1]) and int(matched[2]):
        return WHOLE_NOTE * int(matched[1]) // int(matched[2])
    return WHOLE_NOTE // 16 if 0 < bar * 4 < WHOLE_NOTE * 3 else WHOLE_NOTE // 8


def takes_chords(metre: str) -> bool:
    """Whether abc2midi has an accompaniment for the metre, and so accepts chord names."""
    matched = _METRE.match(metre)
    return (int(matched[1]), int(matched[2])) in _METRES_WITH_CHORDS if matched else metre.strip().startswith("C")
