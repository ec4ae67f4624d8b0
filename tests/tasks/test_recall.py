"""What a tune suggests by its own repeats."""

from hypothesis import given
from hypothesis import strategies as st

from app.tasks.recall import TRUST_CLASSES, Recall, recalled

TUNES = st.lists(st.integers(1, 4), max_size=200)


def guesses(tune: str) -> str:
    """The guess after each character, a dot where there is none."""
    return "".join(chr(guess) if trust else "." for guess, trust in recalled(map(ord, tune)))


def test_nothing_is_suggested_before_something_repeats() -> None:
    assert guesses("abcdefgh") == "........"


def test_a_repeat_is_recognised_after_five_characters_and_followed() -> None:
    assert guesses("abcdefgh|abcdefgh|") == "............." + "fgh|a"


def test_trust_grows_with_every_guess_that_holds() -> None:
    trust = recalled(map(ord, "abcdefgh" * 2 + "abcdefg"))[:, 1]
    assert trust[12:].tolist() == sorted(trust[12:].tolist())
    assert trust[-1] > trust[13] > 0


def test_a_wrong_guess_lowers_trust_and_the_place_is_kept_for_a_while() -> None:
    found = recalled(map(ord, "abcdefghijklmn|abcdefXhijk"))
    before, after = found[20], found[21]
    assert chr(after[0]) == "h"
    assert after[1] < before[1]


def test_a_place_that_keeps_failing_is_given_up() -> None:
    assert guesses("abcdefghijklmnopqrstuvwxyz|abcde" + "0123456789")[-1] == "."


def test_the_latest_place_wins() -> None:
    assert guesses("abcdeX" + "abcdeY" + "abcde")[-1] == "Y"


@given(TUNES, st.integers(0, 200))
def test_reading_in_two_parts_is_reading_at_once(tune: list[int], cut: int) -> None:
    recall = Recall()
    parts = [*recalled(tune[:cut], recall).tolist(), *recalled(tune[cut:], recall).tolist()]
    assert parts == recalled(tune).tolist()


@given(TUNES)
def test_guesses_are_characters_of_the_tune_and_trust_is_a_class(tune: list[int]) -> None:
    for position, (guess, trust) in enumerate(recalled(tune).tolist()):
        assert 0 <= trust < TRUST_CLASSES
        assert guess in tune[: position + 1] if trust else guess == 0


def test_what_was_repeated_often_enough_is_not_suggested_again() -> None:
    said = guesses("abcdefgh" * 6)
    assert said[12:23] == "fghabcdefgh"
    assert set(said[-8:]) == {"."}
