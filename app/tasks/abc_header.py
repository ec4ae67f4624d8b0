"""The header of a tune in ABC notation, read character by character: X first, T next, K last."""

import string
from collections import Counter

from app.tasks.abc_words import HORNPIPE_METRES, KEYS, METRES, TEMPOS, UNITS

TEXT = "".join(sorted(set(string.printable) - set("%\\\t\n\r\x0b\x0c")))
"""What a title or another text field may hold: a percent sign begins a comment, a backslash an escape."""

WORDS = {"M": METRES, "L": UNITS, "K": KEYS, "Q": TEMPOS}
_MOST = {"M": 1, "L": 1, "Q": 1, "K": 1, "T": 2, "R": 1, "C": 1, "O": 1, "S": 1, "B": 1, "Z": 2, "N": 2, "D": 1, "%": 1}
_LONGEST_TEXT = 60
_ROOM = 330  # a tune with fewer characters left than this hurries on to its notes
_DIGITS = 5


class Header:
    """`done` after K; `lost` holds the characters of a line that is no field: the tune has begun without K."""

    def __init__(self) -> None:
        self.done = False
        self.lost = ""
        self.metre, self.unit = "", ""
        self.hornpipe = False
        self.order = ""
        """Of the parts, as P: has it."""
        self._seen: Counter[str] = Counter()
        self._letter = ""
        self._text: str | None = None

    def push(self, character: str) -> None:
        """Take any next character."""
        if self._text is not None:
            if character == "\n":
                self._close(self._letter, self._text.strip())
                self._letter, self._text = "", None
            else:
                self._text += character
        elif not self._letter:
            self._letter = character.strip()
        elif self._letter == "%" and character == "\n":
            self._letter = ""  # a comment that says nothing
        elif character == ":" or self._letter == "%":
            self._text = ""
        elif character != "\n" or not self._letter.isalpha():
            self.lost = self._letter + character
        else:
            self.lost = self._letter

    def _close(self, letter: str, text: str) -> None:
        self._seen[letter] += 1
        if letter == "M":
            self.metre = text
        elif letter == "L":
            self.unit = text
        elif letter == "P":
            self.order = text
        elif letter == "R":
            self.hornpipe = text.startswith(("hornpipe", "Hornpipe"))
        self.done = letter == "K"

    def permitted(self, left: int) -> str:
        """The characters that keep the header well-formed, with `left` characters to go."""
        if self._text is not None:
            return self._value(self._text)
        if self._letter:
            return " " if self._letter == "%" else ":"
        return self._fields(left)

    def _fields(self, left: int) -> str:
        if not self._seen["X"]:
            return "X"
        if not self._seen["T"]:
            return "T"
        if not self._seen["M"] and left < _ROOM:
            return "M"
        last = "K" if self._seen["M"] else ""
        if left < _ROOM:
            return last
        return last + "".join(letter for letter, most in _MOST.items() if letter != "K" and self._seen[letter] < most)

    def _value(self, text: str) -> str:
        if self._letter == "X":
            return string.digits[not text.strip() :] * (len(text) < _DIGITS) + "\n" * bool(text.strip()) + " " * (not text)
        words = WORDS.get(self._letter)
        if words is None:
            return self._free(text)
        if self._letter == "M" and self.hornpipe:
            words = HORNPIPE_METRES
        word = text.removeprefix(" ")
        following = words.after(word) + "\n" * (word in words) + " " * (not text)
        return following or "\n"

    def _free(self, text: str) -> str:
        if text.strip():
            return (TEXT if len(text) < _LONGEST_TEXT else "") + "\n"
        first = TEXT.translate(_NOT_FIRST)
        if self._letter == "R" and self.metre and self.metre not in HORNPIPE_METRES:
            first = first.replace("h", "").replace("H", "")
        return first if text else first + " "


# A value that begins with one of these reads like a repeat.
_NOT_FIRST = str.maketrans("", "", ":| ")
