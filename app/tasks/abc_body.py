"""The notes of a tune in ABC notation, read character by character. Takes whatever comes: a prompt may hold anything."""

from collections.abc import Callable

from app.tasks.abc_at import At
from app.tasks.abc_rhythm import TUPLET_TIMES, Rhythm
from app.tasks.abc_words import CHORD_GRID, takes_chords

NOTES = "ABCDEFGabcdefg"
PARTS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ACCIDENTALS = "^_="
_RESTS = "zx"


class Body:
    """Where a tune stands after its header."""

    def __init__(self, metre: str, unit: str, order: str, hornpipe: bool) -> None:
        """`order`: what P: in the header says of the parts, which then have to come."""
        self.rhythm = Rhythm(metre, unit, hornpipe)
        self.bars = self.rhythm.bars
        self.chord_names = takes_chords(metre)
        self.parts_due = sorted({part for part in order if part in PARTS})
        self.at = At.GAP
        self.characters = 0
        self.over = False  # an empty line has ended the tune
        self.begun = False
        self.text = ""  # of the length, name or field that is being read
        self.pitch = ""  # letter and octave of the last note; empty for rests and chords
        self.tied_to = ""  # the pitch that has to come next
        self.matching = ""  # the pitch that this note has to have
        self.ornaments = self.ornamented = ""  # before the note to come, and before the one just read
        self.several = 0  # notes in a chord or between braces
        self.accidental = False  # before a note in a chord or between braces
        self.named = False
        self.slurred = -1  # notes since "(", -1 without
        self.slurred_bars = 0
        self.spaces = 0
        self.line_empty = True
        self.lone_letter = False  # all that stands on the line: with a colon it would be a field
        self.after_bar = self.final = self.ended = self.continued = False
        self.first_ending_fits = self.second_ending_due = False
        self.part = ""
        self.letter = ""  # at the beginning of the line, or of what stands in brackets
        self.until = ""  # the character that ends what is skipped
        self.inner = ""  # length of a chord's first note, as it is written within the chord
        self.own_length = ""  # of the chord's note that is being read

    def push(self, character: str) -> None:
        """Take any next character."""
        self.characters += 1
        _READERS[self.at](self, character)

    def _gap(self, character: str) -> None:
        if character == "\n":
            self._new_line()
        elif character == " ":
            self.at = At.GAP
            self.spaces += 1
        else:
            self._token(character)

    def _token(self, character: str) -> None:
        self.begun = True
        first_of_line, self.line_empty = self.line_empty, False
        self.lone_letter = first_of_line and character in NOTES
        after_bar, self.after_bar = self.after_bar, False
        self.ended, self.final = False, self.final and character == "!"
        self.spaces = 0
        if character in NOTES or character in _RESTS:
            self._begin_note(character if character in NOTES else "")
        elif after_bar and character == "[":
            self.at = At.BRACKET
        elif character in _TOKENS:
            self.text, self.until = "", character
            self.at = _TOKENS[character]
            self.several = 0 if character in '[{"' else self.several
        elif character in "<>":
            self.rhythm.broken_quarters, self.at = self.rhythm.breakable_quarters, At.BEFORE_NOTE
        elif character in "-)":
            self._after_note(character)
        elif character == "Z" and not first_of_line:
            self.at, self.text = At.BARS_REST, ""
        elif first_of_line and character.isalpha():
            self.at, self.letter, self.ornaments = At.LETTER, character, character
        elif character == "%":
            self.at, self.until = At.SKIP, "\n"
        else:
            self.at = At.BEFORE_NOTE
            self.ornaments += character

    def _after_note(self, character: str) -> None:
        self.at, self.rhythm.breakable_quarters = At.GAP, 0
        if character == ")":
            self.slurred = -1
        else:
            self.tied_to = self.pitch

    def _begin_note(self, letter: str) -> None:
        self.at, self.text = At.NOTE, ""
        self.pitch = letter
        self.matching, self.tied_to = self.tied_to, ""
        self.inner = ""
        # A roll is three notes for abc2midi, which needs half a unit for them.
        self.rhythm.begin_note(2 if "~" in self.ornaments else 1)
        self.ornamented, self.ornaments, self.named = self.ornaments, "", False
        self.slurred += self.slurred >= 0
        self.first_ending_fits = self.second_ending_due = False

    def _note(self, character: str) -> None:
        if character in "',":
            self.pitch += character
        elif character.isdecimal() or character == "/":
            self.text += character
            self.lone_letter = False
            self.rhythm.sound(self.text, self.inner)
        else:
            self.rhythm.end_note()
            self._gap(character)

    def _bars_rest(self, character: str) -> None:
        if character.isdecimal():
            self.text += character
            return
        self.first_ending_fits = self.second_ending_due = False
        self.bars.rest_through(max(int(self.text or 1), 1))
        self._gap(character)

    def _open(self, character: str) -> None:
        if character.isdecimal() and int(character) in TUPLET_TIMES:
            self.rhythm.begin_tuplet(int(character))
            self.at = At.BEFORE_NOTE
        else:
            self.slurred = self.slurred_bars = 0
            self._gap(character)

    def _bar(self, character: str) -> None:
        self.after_bar = True
        self.slurred_bars += 1
        if character in "|]":
            self.bars.end_of_part()
            self.final, self.at = True, At.GAP
        elif character == ":":
            self.bars.start_of_repeat()
            self.at = At.GAP
        else:
            self.first_ending_fits = self.bars.takes_first_ending()
            self.bars.single()
            self._ending(character)

    def _ending(self, character: str) -> None:
        """The number of an ending may stand here, with or without a bracket."""
        self.first_ending_fits = self.first_ending_fits and character in "[ "
        if character == "1":
            self.bars.first_ending()
            self.at = At.GAP
        elif character == "[":
            self.at = At.BRACKET
        elif character.isdecimal():
            self.second_ending_due, self.at = False, At.GAP
        else:
            self._gap(character)

    def _colon(self, character: str) -> None:
        if character not in "|:":
            self._gap(character)
            return
        self.bars.end_of_repeat(another=character == ":")
        self.second_ending_due = self.bars.ending == 2
        self.after_bar = True
        self.final = character == "|" and not self.second_ending_due
        self.at = At.REPEATED if character == "|" else At.GAP

    def _repeated(self, character: str) -> None:
        if character in ":]":  # abc2midi begins no repeat at :|:
            self.at = At.GAP
        else:
            self._ending(character)

    def _bracket(self, character: str) -> None:
        if character.isdecimal():
            self._ending(character)
            self.after_bar = True
        elif character == "|":
            self.at = At.BAR
        else:
            # No ending after all but a chord: with it the bar has begun, and the tune goes on.
            self.after_bar = False
            self._token("[")
            self._chord(character)

    def _chord(self, character: str) -> None:
        """Or a field within the line, such as [M:6/8], the bar line [|, or an ending that a line begins with."""
        if character == "]":
            inner = self.text
            self._begin_note("")
            self.inner = inner
            self.rhythm.sound("", inner)
        elif character in NOTES or character in _ACCIDENTALS:
            self._inner_note(character)
        elif self.several and (character.isdecimal() or character == "/"):
            self.own_length += character
            self.text += character * (self.several == 1)
        elif character == ":":
            self.at, self.until, self.text = At.SKIP, "]", ""
        elif character == "|" and not self.several:
            self.at = At.BAR
        elif character.isdecimal() and not self.several:
            self._bracket(character)
        elif character == "\n":
            self._new_line()
        else:
            self.letter = character

    def _name(self, character: str) -> None:
        if character == '"':
            self.at, self.named = At.BEFORE_NOTE, True
            if not self.text.isdecimal():
                self.bars.grid = CHORD_GRID
        elif character == "\n":
            self._new_line()
        else:
            self.text += character

    def _grace(self, character: str) -> None:
        if character == "}":
            self.at, self.rhythm.graces = At.BEFORE_NOTE, self.several
        elif character == "\n":
            self._new_line()
        else:
            self._inner_note(character)

    def _inner_note(self, character: str) -> None:
        self.several += character in NOTES
        self.letter, self.own_length = character, ""
        self.accidental = character in _ACCIDENTALS

    def _line_end(self, character: str) -> None:
        if character == "\n":
            self._new_line(continued=self.until == "\\")
        else:  # no line end after all, but an ornament between exclamation marks
            self.at, self.until = At.SKIP, "!"

    def _new_line(self, continued: bool = False) -> None:
        self.over = self.line_empty
        self.continued = continued
        self.ended, self.final = self.final and not continued, False
        self.after_bar = self.first_ending_fits = False
        self.line_empty, self.spaces, self.lone_letter, self.rhythm.breakable_quarters = True, 0, False, 0
        self.at = At.GAP

    def _line_letter(self, character: str) -> None:
        if character == ":":
            self.at, self.text, self.ornaments = At.FIELD, "", ""
        elif self.letter == "Z":
            self.at, self.text, self.ornaments = At.BARS_REST, "", ""
            self._bars_rest(character)
        else:
            self._gap(character)

    def _field(self, character: str) -> None:
        if character != "\n":
            self.text += character
            return
        self._change()
        self._new_line()

    def _change(self) -> None:
        """A field has been read."""
        if self.letter == "P":
            self.part = self.text.strip()
            self.parts_due = [part for part in self.parts_due if part != self.part]
        elif self.letter == "M":
            self.chord_names = takes_chords(self.text)
        self.rhythm.change(self.letter, self.text)

    def _skip(self, character: str) -> None:
        if character == "\n":
            self._new_line()
        elif character != self.until:
            self.text += character
        else:
            if self.until == "]":
                self._change()
            self.at = At.GAP


_TOKENS = {
    "^": At.ACCIDENTAL, "_": At.ACCIDENTAL, "=": At.ACCIDENTAL, '"': At.NAME, "{": At.GRACE, "(": At.OPEN, "[": At.CHORD,
    "|": At.BAR, ":": At.COLON, "\\": At.LINE_END, "!": At.LINE_END,
}  # fmt: skip
_READERS: dict[At, Callable[[Body, str], None]] = {
    At.GAP: Body._gap,
    At.NOTE: Body._note,
    At.BARS_REST: Body._bars_rest,
    At.BEFORE_NOTE: Body._gap,
    At.ACCIDENTAL: Body._gap,
    At.OPEN: Body._open,
    At.BAR: Body._bar,
    At.COLON: Body._colon,
    At.REPEATED: Body._repeated,
    At.BRACKET: Body._bracket,
    At.CHORD: Body._chord,
    At.NAME: Body._name,
    At.GRACE: Body._grace,
    At.LINE_END: Body._line_end,
    At.LETTER: Body._line_letter,
    At.FIELD: Body._field,
    At.SKIP: Body._skip,
}
