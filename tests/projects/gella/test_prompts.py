import pytest

from projects.gella import prompts


@pytest.mark.parametrize("nouns", [[], ["dog"], ["red bus", "tree"], ["a", "b and c", "d"]])
def test_answers_are_read_back(nouns):
    read = prompts.read_answer(prompts.nouns_answer(nouns))
    assert read == nouns


def test_pattern_of_table_iii():
    answer = prompts.nouns_answer(["petting zoo", "light brown cow", "animals"])
    assert answer == (
        "There are three semantic nouns, including petting zoo <SEG>, light brown cow <SEG> and "
        "animals <SEG>."
    )


@pytest.mark.parametrize(("number", "words"), [(0, "zero"), (21, "twenty one"), (40, "forty")])
def test_numbers_in_words(number, words):
    assert prompts.in_words(number) == words


@pytest.mark.parametrize("text", ["", "<SEG><SEG>", "and <SEG>, , <SEG>", "no marker"])
def test_nothing_that_a_model_says_breaks_reading(text):
    assert len(prompts.read_answer(text)) == text.count("<SEG>")


def test_a_caption_is_ended_once():
    assert prompts.extract_prompt("A dog").endswith("The sentence is A dog. Assistant:")
    assert prompts.extract_prompt("A dog.") == prompts.extract_prompt("A dog")
