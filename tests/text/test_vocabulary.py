"""Vocabularies: texts become tokens and come back, whatever somebody types; and how words sound."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adastride.text import TextError, Vocabulary, learned_tokens
from adastride.text import vocabulary as vocabularies
from adastride.text.vocabulary import MOST_TOKENS, UNITS, normalised, pronounce

PHONEMES = learned_tokens("phonemes", [])
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
words_of = st.lists(st.text(string.ascii_lowercase, min_size=1, max_size=12), min_size=1, max_size=8)


def one_sentence(error: pytest.ExceptionInfo[TextError]) -> bool:
    text = str(error.value)
    return "\n" not in text and text.endswith(".") and len(text) < 300


# --- there and back


@given(words_of)
def test_words_characters_and_pieces_come_back(words: list[str]):
    text = " ".join(words)
    for units in ("words", "characters", "pieces"):
        vocabulary = Vocabulary(units, learned_tokens(units, [text, "and more of them"]))
        indices = vocabulary.encode(text)
        assert vocabulary.decode(indices) == text, units
        assert vocabulary.encode(vocabulary.decode(indices)) == indices


@given(words_of)
def test_phonemes_come_back(words: list[str]):
    vocabulary = Vocabulary("phonemes", PHONEMES)
    indices = vocabulary.encode(" ".join(words))
    assert tuple(vocabulary.decode(indices).split()) == tuple(sound for word in words for sound in pronounce(word))


@given(words_of)
def test_what_errors_are_counted_in(words: list[str]):
    text = " ".join(words)
    counted = {units: (v := Vocabulary(units, learned_tokens(units, [text]))).counted(v.encode(text)) for units in UNITS}
    assert counted["words"] == counted["pieces"] == words
    assert counted["characters"] == list(text)
    assert counted["phonemes"] == [sound for word in words for sound in pronounce(word)]


@given(st.lists(st.sampled_from(" ab"), max_size=12))
def test_characters_are_counted_as_they_are_shown(letters: list[str]):
    vocabulary = Vocabulary("characters", (" ", "a", "b"))
    indices = [vocabulary.tokens.index(letter) for letter in letters]
    assert "".join(vocabulary.counted(indices)) == vocabulary.decode(indices) == " ".join("".join(letters).split())


@given(words_of, words_of)
@settings(max_examples=25)
def test_every_word_of_letters_that_were_seen_can_be_written_in_pieces(seen: list[str], others: list[str]):
    vocabulary = Vocabulary("pieces", learned_tokens("pieces", [" ".join(seen)]))
    letters = set("".join(seen))
    for word in others:
        word = "".join(letter for letter in word if letter in letters)
        if word:
            indices = vocabulary.encode(word)
            assert vocabulary.decode(indices) == word
            first, *rest = (vocabulary.tokens[index] for index in indices)
            assert not first.startswith("##")
            assert all(token.startswith("##") for token in rest)


def test_pieces_are_the_longest_from_the_beginning_on():
    vocabulary = Vocabulary("pieces", ("un", "una", "##aff", "##ff", "##able", "##a", "##ble"))
    assert [vocabulary.tokens[index] for index in vocabulary.encode("unaffable")] == ["una", "##ff", "##able"]
    assert vocabulary.decode([2, 4]) == "affable"


def test_pieces_are_few_and_the_same_every_time():
    texts = [" ".join(f"{one}{other}{third}ing" for other in string.ascii_lowercase) for one in string.ascii_lowercase for third in "aeiou"]
    tokens = learned_tokens("pieces", texts)
    assert tokens == learned_tokens("pieces", texts)
    assert len(tokens) <= 1000
    assert "##ing" in tokens
    assert set(string.ascii_lowercase) <= set(tokens)


# --- texts that people type


@pytest.mark.parametrize(("text", "words"), [
    ("319", "three one nine"), ("Room 7: it's “Café”!", "room seven it's cafe"), ("two-three", "two three"), ("’tis 'so'", "tis so"),
    ("", ""), (" \n\t", ""),
    ("ONE\u00a0TWO", "one two"), ("one 🙂 two", "one two"), ("don’t", "don't"), ("½", "one two"), ("e\u0301t\u00e9", "ete"), ("a.b", "a b"),
    ("ﬁve", "five"),
])
def test_a_text_as_it_is_spoken(text: str, words: str):
    assert normalised(text) == words


@pytest.mark.parametrize("text", ["да", "one 二", "日本", "שלום", "٣", "straße", "ʼone"])
def test_letters_of_another_script_are_refused(text: str):
    with pytest.raises(TextError, match="English words") as error:
        normalised(text)
    assert one_sentence(error)


@pytest.mark.parametrize("text", ["🙂", "?!…", "'", "—", "👩‍👩‍👧 🎉", "\u202e!"])
def test_a_text_without_a_word_is_refused(text: str):
    for units in UNITS:
        with pytest.raises(TextError, match="no word in it") as error:
            Vocabulary(units, ("a", "##a", "AA")).encode(text)
        assert one_sentence(error)
        assert "\u202e" not in str(error.value)


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(TextError, match=r"more than the 1,000 words that are compared") as error:
        Vocabulary("words", ("one",)).encode("one " * 10_000)
    assert one_sentence(error)
    assert len(Vocabulary("words", ("one",)).encode("one " * 1000)) == 1000


@pytest.mark.parametrize(("units", "tokens", "text"), [
    ("words", DIGITS, "ten"), ("characters", ("a", "b"), "abc"), ("characters", ("a", "b"), "a b"), ("phonemes", PHONEMES[:3], "cat"),
    ("pieces", ("a", "##a"), "ab"), ("pieces", ("a", "##a"), "a" * 101),
    ("words", tuple(f"{'w' * 36}{n:04}" for n in range(99)), "x" * 500),
])
def test_what_a_vocabulary_lacks_is_named(units: str, tokens: tuple[str, ...], text: str):
    with pytest.raises(TextError, match="“") as error:
        Vocabulary(units, tokens).encode(text)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")
    assert len(str(error.value)) < 700


@given(st.text(max_size=40))
def test_any_text_is_words_or_one_sentence(text: str):
    try:
        words, message = normalised(text), ""
    except TextError as error:
        words, message = "", str(error)
    assert not message or (message.endswith(".") and "\n" not in message)
    assert normalised(words) == words
    assert set(words) <= set(string.ascii_lowercase + "' ")
    assert "  " not in words


# --- vocabularies


@pytest.mark.parametrize(("units", "tokens", "message"), [
    ("syllables", ("a",), "unknown units 'syllables'"), ("words", (), "expected 1 to"), ("words", ("a", "a"), "twice"),
    ("words", ("a", ""), "can't be ''"),
    ("words", ("a" * 41,), "can't be"), ("words", ("a\n",), "can't be"), ("words", ("\u202e",), "can't be"),
    ("words", tuple(map(str, range(MOST_TOKENS + 1))), "expected 1 to"),
])
def test_a_vocabulary_refuses_what_can_not_be(units: str, tokens: tuple[str, ...], message: str):
    with pytest.raises(ValueError, match=message):
        Vocabulary(units, tokens)


def test_units_have_names():
    labels = {units: (v := Vocabulary(units, ("a",))).error_label + " " + v.short_error_label + " " + v.unit_name for units in UNITS}
    assert labels == {
        "words": "Word error rate WER words", "characters": "Character error rate CER characters",
        "phonemes": "Phoneme error rate PER phonemes",
        "pieces": "Word error rate WER words",
    }


def test_learned_tokens_are_those_of_the_texts():
    texts = ["three one nine", "Apple, one", ""]
    assert learned_tokens("words", texts) == ("one", "three", "nine", "apple")
    assert learned_tokens("characters", ["ab b'a"]) == (" ", "'", "a", "b")
    assert len(PHONEMES) == 39
    for units in ("words", "characters", "pieces"):
        with pytest.raises(TextError, match="no word"):
            learned_tokens(units, ["", " "])


# --- how words sound


def test_the_dictionary_is_believed():
    """Every word of it sounds as it says there, and needs none but the 39 phonemes."""
    known = vocabularies._dictionary()
    assert len(known) > 100_000
    assert [word for word in known if pronounce(word) != known[word]] == []
    assert {sound for sounds in known.values() for sound in sounds} == set(PHONEMES)


@pytest.mark.parametrize(("word", "sounds"), [
    ("cat", "K AE T"), ("our", "AW ER"), ("hours", "AW ER Z"), ("colour", "K AH L ER"),
    ("colouring", "K AH L ER R IH NG"),  # of the dictionary
    ("unhackably", "AH N HH AE K AE B L IY"),  # by the rules of spelling
    ("catlike", "K AE T L AY K"), ("bookcat", "B UH K K AE T"),  # of two words
    ("giraffeness", "JH ER AE F N AH S"), ("zebraless", "Z IY B R AH L AH S"), ("tulip's", "T UW L IH P S"), ("quizs", "K W IH Z IH Z"),
    ("quz", "K W Z"), ("zzq", "Z K"), ("blorke", "B L AO R K"),
])
def test_how_words_sound(word: str, sounds: str):
    assert " ".join(pronounce(word)) == sounds


@given(st.text(string.ascii_lowercase + "'", min_size=1, max_size=25))
@settings(max_examples=300)
def test_every_word_has_a_sound(word: str):
    sounds = pronounce(word)
    assert set(sounds) <= set(PHONEMES)
    assert bool(sounds) or not word.strip("'")
