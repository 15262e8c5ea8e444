"""Words and numbers that a user gives: what is accepted, and what the error says of the rest."""

import pytest

from lorescore.choices import SCORERS, STRATEGIES, nearest_hint, parse_numbers, require_choice
from lorescore.errors import InputError


@pytest.mark.parametrize("word", STRATEGIES)
def test_a_valid_word_is_given_back(word: str) -> None:
    assert require_choice("--lora", word, STRATEGIES) == word


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("adalroa", "adalora"), ("AdaLoRA", "adalora"), ("vanila", "vanilla"), ("ful", "full"), ("nne", "none")],
)
def test_a_misspelt_word_names_the_nearest(word: str, nearest: str) -> None:
    with pytest.raises(InputError) as error:
        require_choice("--lora", word, STRATEGIES)
    assert str(error.value) == (f"--lora '{word}' is not known (did you mean {nearest}? valid: {' '.join(STRATEGIES)})")


@pytest.mark.parametrize(("word", "nearest"), [("EA", "AE"), ("ya", "AY"), ("h", "HH"), ("tt", "T"), ("OU", "OW")])
def test_choices_in_upper_case_of_the_same_letters_or_with_the_same_beginning(word: str, nearest: str) -> None:
    hint = nearest_hint(word, ["AE", "AY", "EY", "HH", "OW", "T", "UW", "ZH"])
    assert hint == f"did you mean {nearest}? valid: AE AY EY HH OW T UW ZH"


@pytest.mark.parametrize("word", ["", "xyz", 7])
def test_a_word_like_none_of_them_names_all(word: str) -> None:
    with pytest.raises(InputError) as error:
        require_choice("scorer", word, SCORERS)
    assert error.value.mend == f"valid: {' '.join(SCORERS)}"


def test_numbers() -> None:
    assert parse_numbers("--rates", " 0.1  3e-1 ", float) == [0.1, 0.3]
    assert parse_numbers("--seeds", "3 1 2", int) == [3, 1, 2]


@pytest.mark.parametrize(
    ("text", "parse", "message"),
    [
        ("1 x", int, "--seeds 'x' is not a whole number"),
        ("1.5", int, "--seeds '1.5' is not a whole number"),
        ("1,2", float, "--seeds '1,2' is not a number (separate numbers by spaces)"),
        ("  ", int, "--seeds is empty"),
    ],
)
def test_what_is_no_number(text: str, parse: type, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_numbers("--seeds", text, parse)
    assert str(error.value).startswith(message)
