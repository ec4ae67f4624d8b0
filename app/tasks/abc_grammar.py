"""A small grammar of ABC notation (standard 2.1) that says, character by character, what keeps a tune well-formed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.tasks.abc_body import Body
from app.tasks.abc_header import Header
from app.tasks.abc_moves import END, permitted

_NEEDED = frozenset("X:TMK\n0123456789/|]ABCDEFGabcdefgz ")


class Alphabet:
    """The vocabulary as the grammar sees it: index -> character, END at 0; made once for all tunes."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.characters = [END, *vocabulary[1:]]
        self.anything = np.ones(len(vocabulary), bool)
        self._index = {character: index for index, character in enumerate(self.characters)}
        self.knows_abc = _NEEDED.issubset(self._index)
        self._masks: dict[str, npt.NDArray[np.bool_]] = {}

    def mask(self, characters: str) -> npt.NDArray[np.bool_]:
        """bool [vocabulary]: which are among these characters; all, where none is. Kept: the grammar says few things."""
        mask = self._masks.get(characters)
        if mask is None:
            mask = self._masks[characters] = self._make(characters)
        return mask

    def _make(self, characters: str) -> npt.NDArray[np.bool_]:
        mask = np.zeros(len(self.characters), bool)
        mask[[self._index[character] for character in characters if character in self._index]] = True
        return mask if mask.any() else self.anything


class TuneGrammar:
    """Fed with every character of one tune, prompt and all; a prompt may hold anything, what follows is well-formed.

    A vocabulary without the characters that a tune needs is not constrained.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet
        self._header = Header()
        self._body: Body | None = None

    def push(self, index: int) -> None:
        """Take the next character, whether it was allowed or not."""
        character = self._alphabet.characters[index]
        if character == END:
            self._header, self._body = Header(), None
        elif self._body is None:
            self._push_header(character)
        else:
            self._push_body(self._body, character)

    def _push_header(self, character: str) -> None:
        header = self._header
        header.push(character)
        if header.done or header.lost:
            self._body = Body(header.metre or "C", header.unit, header.order, header.hornpipe)
            for lost in header.lost:
                self._body.push(lost)

    def _push_body(self, body: Body, character: str) -> None:
        body.push(character)
        if body.over:
            self._header, self._body = Header(), None

    def allowed(self, characters_left: int) -> npt.NDArray[np.bool_]:
        """bool [vocabulary], never all false: what may come next when so many characters are left, the end counted as one."""
        if not self._alphabet.knows_abc:
            return self._alphabet.anything
        body = self._body
        characters = permitted(body, characters_left) if body else self._header.permitted(characters_left)
        return self._alphabet.mask(characters)
