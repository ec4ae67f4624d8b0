"""The states of a reader of tunes in ABC notation."""

from enum import Enum, auto


class At(Enum):
    """What the next character goes on with."""

    GAP = auto()  # between notes, bars and lines
    NOTE = auto()  # after a note, rest or chord whose length may go on
    BARS_REST = auto()  # "Z"
    BEFORE_NOTE = auto()  # something stands before a note that has to come
    ACCIDENTAL = auto()
    OPEN = auto()  # "("
    BAR = auto()  # "|"
    COLON = auto()  # ":"
    REPEATED = auto()  # ":|"
    BRACKET = auto()  # "[" after a bar line
    CHORD = auto()
    NAME = auto()  # in quotes
    GRACE = auto()
    LINE_END = auto()  # a line end has to come
    LETTER = auto()  # a letter at the beginning of a line that is no note: a field's or an ornament
    FIELD = auto()
    SKIP = auto()  # something unknown
