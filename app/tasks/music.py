"""Music: a tune in ABC notation <-> character indices; the distribution of the next one; sampling character by character."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.tasks.abc_grammar import TuneGrammar
from app.tasks.recall import Recall, recalled
from app.tasks.task import InvalidInput, Run, Tensors

BOUNDARY = 0
"""Index of the mark that stands before and after every tune."""
BOUNDARY_MARK = "<boundary>"

_TYPEWRITER = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "\t": " ", "\u00a0": " "})
_TOP = 5  # characters that a golden case pins down


@dataclass(frozen=True)
class NextCharacters:
    """characters: (character, probability), the likeliest first; bits_per_character: the prompt's own mean cost."""

    characters: list[tuple[str, float]]
    bits_per_character: float


@dataclass(frozen=True)
class Sampling:
    """temperature > 0 divides the logits; top_p in (0, 1] keeps the smallest set of that mass (Holtzman et al. 2020)."""

    max_characters: int
    temperature: float
    top_p: float
    seed: int


@dataclass(frozen=True)
class Reading:
    """How far a tune has been read: what it may repeat, and the graph's state, float32 [layers, 1, hidden] each."""

    recall: Recall
    state: Tensors


class Music:
    """The task, from a vocabulary: index -> character, with BOUNDARY_MARK at BOUNDARY, and the state's shape."""

    name = "music"

    def __init__(self, vocabulary: Sequence[str], state: dict[str, list[int]]) -> None:
        """`state` names the graph's recurrent inputs, each [layers, hidden]; its outputs are named `next_` and the same."""
        self._characters = list(vocabulary)
        self._index = {character: index for index, character in enumerate(vocabulary) if index != BOUNDARY}
        self._state = state

    @classmethod
    def from_bundle(cls, settings: dict[str, Any], vocabulary: list[str]) -> "Music":
        return cls(vocabulary, settings["state"])

    def encode(self, abc: str) -> npt.NDArray[np.int64]:
        """int64 [1 + characters], the boundary first; the text is read as `plain` makes it.

        Raises InvalidInput with the position of the first character outside the vocabulary.
        """
        for position, character in enumerate(abc):
            windows_line_end = character == "\r" and abc[position + 1 : position + 2] == "\n"
            if character.translate(_TYPEWRITER) not in self._index and not windows_line_end:
                raise InvalidInput(
                    f"character {character!r} at position {position} is not in the model's vocabulary of "
                    f"{len(self._index)} characters",
                    "/prompt",
                )
        return np.array([BOUNDARY, *(self._index[character] for character in plain(abc))], dtype=np.int64)

    def start(self) -> Reading:
        """Nothing was read: the state is zeros."""
        zeros = {name: np.zeros((layers, 1, hidden), np.float32) for name, (layers, hidden) in self._state.items()}
        return Reading(Recall(), zeros)

    def read(self, run: Run, ids: npt.NDArray[np.int64], reading: Reading) -> tuple[npt.NDArray[np.float32], Reading]:
        """Feed ids [time] to the graph: log-probabilities float32 [time, vocabulary] after each, and how far it has read."""
        guesses = recalled(ids.tolist(), reading.recall)
        outputs = run({"ids": ids[None], "guesses": guesses[None, :, 0], "trust": guesses[None, :, 1], **reading.state})
        state = {name: outputs[f"next_{name}"] for name in reading.state}
        return log_softmax(outputs["logits"][0]), Reading(reading.recall, state)

    def next_characters(self, run: Run, prompt: str, top_k: int) -> NextCharacters:
        """What may follow the prompt. The end of the tune stands as an empty string."""
        ids = self.encode(prompt)
        log_p, _ = self.read(run, ids, self.start())
        likeliest = np.argsort(-log_p[-1], kind="stable")[:top_k]
        characters = [(self._text(int(index)), float(np.exp(log_p[-1, index]))) for index in likeliest]
        cost = -log_p[np.arange(len(ids) - 1), ids[1:]].mean() / np.log(2.0)
        return NextCharacters(characters, float(cost))

    def continuation(
        self,
        run: Run,
        prompt: str,
        sampling: Sampling,
        gone: Callable[[], bool] = lambda: False,
        well_formed: bool = True,
    ) -> Iterator[str]:
        """The characters that the model adds, one by one; an empty string, last, says that it ended the tune itself.

        `gone` is asked before each step and stops the work when nobody waits for it any more. `well_formed` draws only
        what the grammar allows; without it the model is heard as it is, to measure what the grammar does.
        """
        chance = np.random.default_rng(sampling.seed)
        ids, grammar = self.encode(prompt), TuneGrammar(self._characters)
        log_p, reading = self.read(run, ids, self.start())
        for read in ids[1:].tolist():
            grammar.push(read)
        for left in range(sampling.max_characters, 0, -1):
            index = draw(log_p[-1], sampling, chance, grammar.allowed(left) if well_formed else None)
            yield self._text(index)
            if index == BOUNDARY or left == 1 or gone():
                return
            grammar.push(index)
            log_p, reading = self.read(run, np.array([index]), reading)

    def numbers(self, run: Run, raw: Any) -> list[float]:
        answer = self.next_characters(run, raw, _TOP)
        return [answer.bits_per_character, *(probability for _, probability in answer.characters)]

    def _text(self, index: int) -> str:
        return "" if index == BOUNDARY else self._characters[index]


def plain(abc: str) -> str:
    """The text as the model was trained on it: plain line ends, and spaces, quotes and dashes as a typewriter has them."""
    return abc.replace("\r\n", "\n").translate(_TYPEWRITER)


def log_softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Over the last axis, without overflow."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def draw(
    log_p: npt.NDArray[np.float32],
    sampling: Sampling,
    chance: np.random.Generator,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> int:
    """One index from log-probabilities [vocabulary], by temperature and nucleus. One random number a draw.

    Where `allowed` [vocabulary], not all false, is given, only those are drawn.
    """
    if allowed is not None:
        log_p = np.where(allowed, log_p, -np.inf)
    p = np.exp(log_softmax(log_p.astype(np.float64) / sampling.temperature))
    order = np.argsort(-p, kind="stable")
    cumulative = np.cumsum(p[order])
    kept = int(np.searchsorted(cumulative, sampling.top_p * cumulative[-1])) + 1
    chosen = np.searchsorted(cumulative[:kept], chance.random() * cumulative[min(kept, len(p)) - 1], side="right")
    return int(order[min(int(chosen), kept - 1, len(p) - 1)])
