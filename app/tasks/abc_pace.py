"""How near the end of a tune has to be, by the characters that are left."""

from enum import IntEnum

from app.tasks.abc_body import Body

# The longest way out is from the first bar of a repeat through its second ending.
_TIGHT = 60
_HURRY = 90
_BARS_TO_PHRASE, _BARS_TO_PART = 5, 9


class Pace(IntEnum):
    """How near the end has to be."""

    FREE = 0
    LAST_PART = 1
    LAST_PHRASE = 2
    HURRY = 3
    TIGHT = 4


def pace_of(body: Body, left: int) -> Pace:
    """With `left` characters to go, the end counted as one."""
    if left <= _TIGHT:
        return Pace.TIGHT
    if left <= _HURRY:
        return Pace.HURRY
    per_bar = min(max(body.characters // max(body.bars.count, 1), 8), 40) if body.bars.count > 1 else 14
    if left <= _HURRY + _BARS_TO_PHRASE * per_bar:
        return Pace.LAST_PHRASE
    return Pace.LAST_PART if left <= _HURRY + _BARS_TO_PART * per_bar else Pace.FREE
