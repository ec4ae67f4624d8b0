"""The length of the note that is being read: between what it has to lie, and what it does to the bar."""

from fractions import Fraction
from functools import lru_cache

from app.tasks.abc_bars import Bars
from app.tasks.abc_words import LONGEST, bar_ticks, length_of, unit_ticks

TUPLET_TIMES = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}
"""(n: n notes in the time of these (ABC standard 2.1, 4.13)."""


class Rhythm:
    """Lengths that end in `quarters` are quarters of the unit length; `unit` is ticks."""

    def __init__(self, metre: str, unit: str, hornpipe: bool) -> None:
        full = bar_ticks(metre)
        self.bars = Bars(full)
        self.unit = unit_ticks(unit, full)
        self.hornpipe = hornpipe
        """abc2midi dots the notes of a hornpipe itself."""
        self.least_quarters = self.most_quarters = 0  # between which this note's length has to lie
        self.breakable_quarters = 0  # of the note just read, if "<" or ">" may follow
        self.broken_quarters = 0  # of the note that has to come after "<" or ">"
        self.graces = self.graced = 0  # grace notes before the note to come, and before the one just read
        self.tuplet_left = self.tuplet_of = 0
        self._tuplet_quarters = 0  # length of its first note
        self._start, self._was_free = 0, False  # of the bar, before this note
        self._second = False  # this note follows "<" or ">"

    def room_quarters(self) -> int:
        """The longest note that the bar still takes."""
        return LONGEST if self.bars.free else self.bars.rest * 4 // self.unit

    def quarters_to_end(self) -> int:
        """The longest note that leads to the end of the part, or else of the bar, counted from where this note began."""
        return LONGEST if self.bars.free else self.bars.to_end(self._start) * 4 // self.unit

    def begin_tuplet(self, notes: int) -> None:
        """`notes` is one of TUPLET_TIMES."""
        self.tuplet_left = self.tuplet_of = notes
        self._tuplet_quarters = 0

    def begin_note(self, least_quarters: int) -> None:
        """A note, rest or chord of one unit; `sound` tells when its length is read."""
        self._start, self._was_free = self.bars.played, self.bars.free
        self._second = self.broken_quarters > 0
        # abc2midi plays a grace note as a quarter of the unit, taken from its host.
        self.least_quarters, self.most_quarters = max(self.graces + 1, least_quarters), self.room_quarters()
        fixed = self.broken_quarters
        if self.tuplet_left:
            fixed = self._tuplet_quarters
            self.most_quarters = self.most_quarters * self.tuplet_of // (TUPLET_TIMES[self.tuplet_of] * self.tuplet_left)
            self.tuplet_left -= 1
        if fixed:
            self.least_quarters = self.most_quarters = fixed
        self.graced, self.graces, self.broken_quarters = self.graces, 0, 0
        self.sound("")

    def sound(self, text: str, inner: str = "") -> None:
        """Count the note that was begun, with the length that its text tells by now, or else a chord's `inner` note."""
        measured, bars = _measured(text, inner, self.unit, self.tuplet_of), self.bars
        if measured is None:
            bars.free = True
            return
        ticks, length_quarters = measured
        if self.tuplet_of:
            self._tuplet_quarters = length_quarters
        bars.played = self._start + ticks
        # A prompt's bar may be too long already, or leave less than any note.
        odd = not self.tuplet_left and 0 < bars.rest < self.unit // 4
        bars.free = self._was_free or bars.played > bars.full or odd
        quarters = 0 if self.tuplet_of or self._second or self.hornpipe else length_quarters
        self.breakable_quarters = quarters if quarters <= self.room_quarters() else 0

    def end_note(self) -> None:
        """Its length is read."""
        if not self.tuplet_left:
            self.tuplet_of = self._tuplet_quarters = 0

    def change(self, field: str, text: str) -> None:
        """An M: or L: field within the tune."""
        bars = self.bars
        if field == "M":
            bars.full = bar_ticks(text)
            bars.free = bars.free or not bars.full
        elif field == "L":
            self.unit = unit_ticks(text, bars.full)


@lru_cache(maxsize=1024)
def _measured(text: str, inner: str, unit: int, tuplet: int) -> tuple[int, int] | None:
    """Ticks, and quarters of the unit without the tuplet, rounded down. None if the text is no length.

    For abc2midi a length behind a chord takes the place of those within it, unless it is 1.
    """
    length = length_of(text)
    if length is None:
        return None
    if length == 1:
        length = length_of(inner) or length
    times = Fraction(TUPLET_TIMES[tuplet], tuplet) if tuplet else 1
    return int(length * unit * times), int(length * 4)
