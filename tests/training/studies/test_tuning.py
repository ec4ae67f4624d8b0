"""Early stopping as the tables report it."""

from training.studies.tuning import QUICK, settings, stopped


def test_training_stops_after_patience_without_a_better_score() -> None:
    assert stopped([0.5, 0.7, 0.6, 0.7, 0.9], patience=2) == (4, 0.7)


def test_training_that_gets_better_goes_to_the_end() -> None:
    assert stopped([0.5, 0.6, 0.6, 0.7], patience=2) == (4, 0.7)


def test_every_setting_differs_from_the_base_in_one_thing() -> None:
    changes = [len(setting.change) + (setting.reviews is not None) for setting in settings(QUICK)]
    assert changes == [0, *[1] * (len(changes) - 1)]
