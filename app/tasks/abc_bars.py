"""Bars, pickups, repeats and endings of a tune: what has been played of the bar, and which bar lines may come next.

The rules are those of `abc2midi -c`: a bar between single bar lines is full, except the first one of the tune; a part may
end within a bar, and then the next one (after a repeat, the same one again) begins with the rest of that bar.
"""


class Bars:
    """Lengths are ticks. `free`: the length of this bar is not known, so any bar line may follow."""

    def __init__(self, full: int) -> None:
        self.full = full
        self.played = 0
        self.count = 0
        """Bars of the tune so far."""
        self.of_part = 0
        self.repeating = False
        self.ending = 0
        self.free = not full
        self.grid = 1
        """What the length of a pickup has to be a multiple of."""
        self._carried = 0  # of the bar, played before the part began
        self._first = -1  # length of the part's first bar without what was carried; -1 while it is being played

    @property
    def rest(self) -> int:
        """What the bar still takes."""
        return max(self.full - self.played, 0)

    def to_end(self, played: int) -> int:
        """From `played` ticks of this bar, what is left to the nearest place where the part may end, or else the bar."""
        short = self.full - self._first
        return short - played if 0 < self._first < self.full and played < short else self.full - played

    @property
    def whole(self) -> bool:
        return self.free or self.played == self.full

    def takes_single(self) -> bool:
        """Whether `|` may end what was played."""
        return self.whole or (self.count == 0 and 0 < self.played < self.full and not self.played % self.grid)

    def takes_empty(self) -> bool:
        """Whether `|` may stand where nothing was played, as some editions begin their lines."""
        return self.played == 0 and not (self.repeating and self._first < 0)

    def fits_grid(self, ticks: int) -> bool:
        """Whether the pickup, or what was carried into the part, is a multiple of so many ticks, if there is any."""
        return max(self._first, 0) % ticks == 0 and self._carried % ticks == 0

    def takes_end_of_part(self) -> bool:
        """Whether `||` or `|]` may."""
        if self.repeating:
            return self.whole and not self.ending
        return self.whole or self._completes_pickup()

    def takes_start_of_repeat(self) -> bool:
        """Whether `|:` may."""
        untouched = self.played == 0 or (self._first < 0 and self.played == self._carried) or self.count == 0
        return not self.repeating and (untouched or self.whole or self._completes_pickup())

    def takes_end_of_repeat(self) -> bool:
        """Whether `:|` may: together with the part's first bar it makes a bar."""
        if not self.repeating or self._first < 0 or not self.played:
            return False
        return self.free or self.played + self._first == self.full or self.played == self._first == self.full

    def takes_first_ending(self) -> bool:
        """Whether `|1` may."""
        return self.repeating and not self.ending and self.whole and self._first >= 0

    def _completes_pickup(self) -> bool:
        return (self.of_part + 1) % 4 == 0 and 0 < self._first < self.full and self.played == self.full - self._first

    def rest_through(self, bars: int) -> None:
        """`Z`, a rest of so many bars, the last of which is not ended yet."""
        self.played = self.full or 1
        self.count += bars - 1
        self.of_part += bars - 1

    def single(self) -> None:
        """`|`"""
        if self._first < 0 and self.played > self._carried:
            self._first = self.full if self.free else self.played - self._carried
            self.of_part -= self._first < self.full  # a pickup is no bar of the part
        self._end_bar()

    def end_of_part(self) -> None:
        """`||` or `|]`"""
        whole = self.whole
        if whole:
            self.single()
        if self.ending or not whole:
            self._begin_part()

    def start_of_repeat(self) -> None:
        """`|:`"""
        if self.whole or self.count == 0:
            self._end_bar()
        self.repeating = True
        self._begin_part()

    def end_of_repeat(self, another: bool) -> None:
        """`:|`, or `::` with `another`."""
        second = self.ending == 1
        if self.whole or second:
            self._end_bar()
        self.repeating = another
        if second:
            self.ending = 2
        else:
            self._begin_part()

    def first_ending(self) -> None:
        """`|1`, after `single`. Where no `|:` began the repeat, the part did."""
        self.ending = 1
        self.repeating = True

    def _begin_part(self) -> None:
        self.ending = 0
        self.of_part = 0
        self._carried, self._first = self.played, -1

    def _end_bar(self) -> None:
        if self.played:
            self.count += 1
            self.of_part += 1
        self.played = self._carried = 0
        self.free = not self.full
