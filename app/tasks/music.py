"""Music: a tune in ABC notation <-> character indices; the distribution of the next one; sampling character by character."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.tasks.abc_grammar import Alphabet, TuneGrammar
from app.tasks.sampling import Sampling
from app.tasks.task import InvalidInput, Observed, Run
from app.tasks.tune import BOUNDARY, Batch, Faulty, Tune

BOUNDARY_MARK = "<boundary>"

_TYPEWRITER = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "\t": " ", "\u00a0": " "})
_TOP = 5  # characters that a golden case pins down


@dataclass(frozen=True)
class NextCharacters:
    """characters: (character, probability), the likeliest first; bits_per_character: the prompt's own mean cost."""

    characters: list[tuple[str, float]]
    bits_per_character: float


class Music:
    """The task, from a vocabulary: index -> character, with BOUNDARY_MARK at BOUNDARY, and the state's shape."""

    name = "music"
    features = ("prompt_characters", "bits_per_character")

    def __init__(self, vocabulary: Sequence[str], state: dict[str, list[int]]) -> None:
        """`state` names the graph's recurrent inputs, each [layers, hidden]; its outputs are named `next_` and the same."""
        self._characters = list(vocabulary)
        self._alphabet = Alphabet(vocabulary)
        self._index = {character: index for index, character in enumerate(vocabulary) if index != BOUNDARY}
        self._state = state

    @classmethod
    def from_bundle(cls, settings: dict[str, Any], vocabulary: list[str]) -> "Music":
        return cls(vocabulary, settings["state"])

    def encode(self, abc: str) -> npt.NDArray[np.int64]:
        """int64 [1 + characters], the boundary first; the text is read as `plain` makes it.

        Raises InvalidInput with the position of the first character outside the vocabulary.
        """
        try:
            return np.array([BOUNDARY, *map(self._index.__getitem__, plain(abc))], dtype=np.int64)
        except KeyError:
            raise self._unknown(abc) from None

    def _unknown(self, abc: str) -> InvalidInput:
        for position, character in enumerate(abc):
            windows_line_end = character == "\r" and abc[position + 1 : position + 2] == "\n"
            if character.translate(_TYPEWRITER) not in self._index and not windows_line_end:
                break
        return InvalidInput(
            f"character {character!r} at position {position} is not in the model's vocabulary of {len(self._index)} characters",
            "/prompt",
        )

    def tune(self, prompt: str, sampling: Sampling, well_formed: bool = True) -> Tune:
        """The prompt, to be read and then continued. Raises InvalidInput as `encode` does.

        `well_formed` draws only what the grammar allows; without it the model is heard as it is.
        """
        return Tune(self.encode(prompt).tolist(), sampling, TuneGrammar(self._alphabet) if well_formed else None)

    def prompt(self, prompt: str) -> Tune:
        """A Tune that is read and not continued."""
        return self.tune(prompt, Sampling(0, 1.0, 1.0, 0), well_formed=False)

    def batch(self, faulty: Faulty | None = None) -> Batch:
        """Empty, for tunes of this task; `faulty` as Batch takes it."""
        return Batch(self._state, len(self._characters), faulty)

    def next_characters(self, run: Run, prompt: str, top_k: int) -> NextCharacters:
        """What may follow the prompt. The end of the tune stands as an empty string."""
        tune, batch = self.prompt(prompt), self.batch()
        batch.add([tune])
        batch.advance(run, tune.unread)
        return self.likeliest(tune, batch.log_p[0], top_k)

    def likeliest(self, tune: Tune, log_p: npt.NDArray[np.float32], top_k: int) -> NextCharacters:
        """The answer for a prompt that was read, from the log-probabilities [vocabulary] of what comes next."""
        first = np.argsort(-log_p, kind="stable")[:top_k]
        characters = [(self.text(int(index)), float(np.exp(log_p[index]))) for index in first]
        return NextCharacters(characters, tune.bits_per_character)

    def continuation(
        self,
        run: Run,
        prompt: str,
        sampling: Sampling,
        gone: Callable[[], bool] = lambda: False,
        well_formed: bool = True,
    ) -> Iterator[str]:
        """The characters that the model adds, one by one; an empty string, last, says that it ended the tune itself.

        `gone` is asked before each step and stops the work when nobody waits for it any more; `well_formed` as in `tune`.
        """
        tune, batch = self.tune(prompt, sampling, well_formed), self.batch()
        batch.add([tune])
        while not (tune.over or gone()):
            batch.advance(run, tune.unread)
            yield self.text(*batch.draw())

    def observed(self, prompt: str, answer: NextCharacters | None = None) -> Observed:
        """Of a prompt; what it costs is known only where it was asked for."""
        length: Observed = {"prompt_characters": [len(prompt)]}
        return length if answer is None else {**length, "bits_per_character": [round(answer.bits_per_character, 4)]}

    def numbers(self, run: Run, raw: Any) -> list[float]:
        answer = self.next_characters(run, raw, _TOP)
        return [answer.bits_per_character, *(probability for _, probability in answer.characters)]

    def text(self, index: int) -> str:
        """The character; the end of the tune is an empty string."""
        return "" if index == BOUNDARY else self._characters[index]


def plain(abc: str) -> str:
    """The text as the model was trained on it: plain line ends, and spaces, quotes and dashes as a typewriter has them."""
    return abc.replace("\r\n", "\n").translate(_TYPEWRITER)
