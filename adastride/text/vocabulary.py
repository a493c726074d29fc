"""Vocabularies: the tokens that a recogniser writes, and how texts become tokens and tokens become texts.

There are four kinds of token, each for another amount of data: whole words of a small vocabulary, characters, phonemes (ARPAbet
without stress, by the CMU Pronouncing Dictionary), and word pieces (WordPiece, Wu et al., 2016). A network's configuration keeps
the kind and the tokens, so that a checkpoint needs nothing else to be read.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adastride.wording import one_line

UNITS = ("words", "characters", "phonemes", "pieces")
MOST_WORDS = 1000  # of a text that somebody types
MOST_TOKENS, _MOST_LETTERS = 10_000, 40
_ERROR_LABELS = {"words": "Word error rate", "characters": "Character error rate", "phonemes": "Phoneme error rate", "pieces": "Word error rate"}
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_PHONEMES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P",
    "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)
_CONTINUED = "##"  # begins a piece that continues a word, as in WordPiece
_UNKNOWN = "[UNK]"
_PIECES = 1000


class TextError(ValueError):
    """A text that a vocabulary can't write; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a recogniser.

    units: a word of `UNITS`. tokens: what the network writes, each once. Raises ValueError for any other units, and for tokens that
    are empty, longer than 40 letters, doubled, or too many.
    """

    units: str
    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.units not in UNITS:
            raise ValueError(f"unknown units {self.units!r}; choose one of {', '.join(UNITS)}")
        if not 1 <= len(self.tokens) <= MOST_TOKENS:
            raise ValueError(f"expected 1 to {MOST_TOKENS} tokens, got {len(self.tokens)}")
        if len(set(self.tokens)) < len(self.tokens):
            raise ValueError("a token is there twice")
        wrong = next((token for token in self.tokens if not 1 <= len(token) <= _MOST_LETTERS or not token.isprintable()), None)
        if wrong is not None:
            raise ValueError(f"a token can't be {one_line(repr(wrong), 60)}")

    @property
    def error_label(self) -> str:
        """What its error rate is called: "Word error rate"."""
        return _ERROR_LABELS[self.units]

    @property
    def short_error_label(self) -> str:
        """The same in three letters: "WER"."""
        return "".join(word[0] for word in self.error_label.split()).upper()

    @property
    def unit_name(self) -> str:
        """What errors are counted in, in the plural: "words"."""
        return "words" if self.units == "pieces" else self.units

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, as indices. Digits are read as words, and punctuation and case do not count.

        Raises TextError, one sentence, for a text with something in it that the vocabulary can't write.

        >>> Vocabulary("words", ("one", "two")).encode("Two, 1!")
        [1, 0]
        """
        words = normalised(text).split()
        if self.units == "words":
            return [self._index(word, word) for word in words]
        if self.units == "characters":
            return [self._index(letter, letter) for letter in " ".join(words)]
        if self.units == "phonemes":
            return [self._index(phoneme, word) for word in words for phoneme in pronounce(word)]
        return [index for word in words for index in self._pieces(word)]

    def _index(self, token: str, word: str) -> int:
        try:
            return self._places[token]
        except KeyError:
            known = ", ".join(self.tokens[:12]) + (" …" if len(self.tokens) > 12 else "")
            raise TextError(f"“{one_line(word, 40)}” is not in this network's vocabulary: it writes {known}.") from None

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    def _pieces(self, word: str) -> list[int]:
        """The longest known pieces of a word, from its beginning on, which is WordPiece's rule."""
        ids = self._piece_model.tokenize(word)
        if any(token.value == _UNKNOWN for token in ids):
            raise TextError(f"“{one_line(word, 40)}” can't be put together from this network's word pieces: try other words.")
        return [self._places[token.value] for token in ids]

    @functools.cached_property
    def _piece_model(self) -> Any:
        from tokenizers.models import WordPiece

        places = {**self._places, _UNKNOWN: len(self.tokens)}
        return WordPiece(places, unk_token=_UNKNOWN, max_input_chars_per_word=100)

    def decode(self, indices: Iterable[int]) -> str:
        """The text that tokens make, with blanks between words, or between phonemes.

        >>> Vocabulary("pieces", ("see", "##ing", "is")).decode([0, 1, 2])
        'seeing is'
        """
        tokens = [self.tokens[index] for index in indices]
        if self.units == "characters":
            return " ".join("".join(tokens).split())
        if self.units == "pieces":
            return " ".join(tokens).replace(f" {_CONTINUED}", "").removeprefix(_CONTINUED)
        return " ".join(tokens)

    def counted(self, indices: Sequence[int]) -> list[str]:
        """The units that errors are counted in: words, characters or phonemes, of the text that `decode` makes.

        >>> Vocabulary("pieces", ("see", "##ing", "is")).counted([0, 1, 2])
        ['seeing', 'is']
        """
        if self.units == "pieces":
            return self.decode(indices).split()
        tokens = [self.tokens[index] for index in indices]
        if self.units == "characters":  # a blank that is not between two words is in no text
            tokens = [token for token, before in zip(tokens, [" ", *tokens], strict=False) if token != " " or before != " "]
            return tokens[:-1] if tokens[-1:] == [" "] else tokens
        return tokens


def normalised(text: str) -> str:
    """A text in lower-case words of letters and apostrophes, with blanks between them; digits are read one by one.

    Accents are dropped where a plain letter is left. Raises TextError for more than `MOST_WORDS` words, for letters of another script,
    and for a text that is not empty but has no word in it.

    >>> normalised("Room 7: it's  \\u201cCafé\\u201d!")
    "room seven it's cafe"
    """
    text = unicodedata.normalize("NFKD", text.replace("’", "'")).lower()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"(?a:\d)", lambda digit: f" {_DIGITS[int(digit.group())]} ", text)
    other = next((letter for letter in text if letter.isalnum() and not "a" <= letter <= "z"), None)
    if other is not None:
        raise TextError(f"“{other}” is a letter that these networks do not know: write English words.")
    words = [word.strip("'") for word in re.sub(r"[^a-z']+", " ", text).split()]
    words = [word for word in words if word]
    if text.strip() and not words:
        raise TextError(f"“{one_line(text.strip(), 40)}” has no word in it: write what is said.")
    if len(words) > MOST_WORDS:
        raise TextError(f"this text has more than the {MOST_WORDS:,} words that are compared: give the words of this clip alone.")
    return " ".join(words)


def learned_tokens(units: str, texts: Sequence[str]) -> tuple[str, ...]:
    """The tokens of a vocabulary for some texts, in an order that follows from the texts alone.

    Words, characters and pieces are those of the texts, 1000 pieces at the most; phonemes are the 39 of English in every case. Raises
    TextError where the texts have no word, or words that are too many or too long for a vocabulary of words.
    """
    if units == "phonemes":
        return _PHONEMES
    counts = Counter(word for text in texts for word in normalised(text).split())
    if not counts:
        raise TextError("the texts of the training clips have no word in them.")
    if units == "words":
        longest = max(counts, key=lambda word: (len(word), word))
        if len(longest) > _MOST_LETTERS:
            more = f"has {len(longest)} letters, more than the {_MOST_LETTERS} of a token"
            raise TextError(f"“{one_line(longest, 40)}” {more}: choose characters or pieces.")
        if len(counts) > MOST_TOKENS:
            more = f"{len(counts):,} different words, more than the {MOST_TOKENS:,} of a network"
            raise TextError(f"the texts have {more}: choose characters or pieces.")
        return tuple(sorted(counts, key=lambda word: (word not in _DIGITS, _DIGITS.index(word) if word in _DIGITS else 0, word)))
    if units == "characters":
        return tuple(sorted({letter for word in counts for letter in word} | {" "}))
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=_UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # Every word of these letters can be written: they are there as beginnings, which the trainer may have seen only inside of words,
    # and as continuations. All of them are given to it in order, because its own order changes from run to run, and ties with it.
    letters = sorted({letter for word in counts for letter in word})
    continued = [f"{_CONTINUED}{letter}" for letter in letters]
    trainer = trainers.WordPieceTrainer(vocab_size=_PIECES + 1, special_tokens=[_UNKNOWN, *letters, *continued], show_progress=False)
    tokenizer.train_from_iterator((" ".join([word] * count) for word, count in sorted(counts.items())), trainer)
    places = tokenizer.get_vocab()
    return tuple(piece for piece in sorted(places, key=places.__getitem__) if piece != _UNKNOWN and len(piece) <= _MOST_LETTERS)


def pronounce(word: str) -> tuple[str, ...]:
    """The phonemes of an English word, by the first pronunciation that the CMU dictionary gives.

    Of a word that is not in it, one ending (s, ed, ing, er, ly, ness, less) is taken off, a compound of two known words is read as
    both, and what is still unknown is read letter by letter by the usual rules of English, which is right for two phonemes of three.
    Raises TextError where the dictionary is not installed.

    >>> pronounce("cat")
    ('K', 'AE', 'T')
    """
    known, american = _dictionary(), word.replace("our", "or")
    for spelling in (word, american):
        if spelling in known:
            return known[spelling]
    for ending, sound in _ENDINGS.items():
        stem = next((stem for stem in (word.removesuffix(ending), word.removesuffix(ending) + "e") if stem in known), None)
        if word.endswith(ending) and stem is not None:
            return (*known[stem], *(sound or _plural(known[stem][-1])))
    middle = len(word) // 2
    for place in sorted(range(3, len(word) - 2), key=lambda place: (abs(place - middle), place)):
        if word[:place] in known and word[place:] in known:
            return (*known[word[:place]], *known[word[place:]])
    return _spelled(word)


# How an ending sounds; an s takes its sound from the phoneme before it.
_ENDINGS: dict[str, tuple[str, ...]] = {
    "'s": (), "s": (), "ed": ("D",), "ing": ("IH", "NG"), "er": ("ER",), "ly": ("L", "IY"), "ness": ("N", "AH", "S"), "less": ("L", "AH", "S"),
}
# Letters and their usual sound, longer ones first.
_SPELLING = {
    "tion": "SH AH N", "sion": "ZH AH N", "ough": "AO", "augh": "AO", "eigh": "EY", "igh": "AY", "tch": "CH", "sch": "SH", "ight": "AY T",
    "qu": "K W", "ck": "K", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W", "ng": "NG", "kn": "N", "wr": "R", "ss": "S", "ll": "L", "tt": "T",
    "rr": "R", "nn": "N", "mm": "M", "pp": "P", "bb": "B", "dd": "D", "ff": "F", "gg": "G", "zz": "Z", "cc": "K", "ee": "IY", "ea": "IY", "oo": "UW",
    "ou": "AW", "ow": "OW", "oa": "OW", "ai": "EY", "ay": "EY", "ei": "EY", "ey": "IY", "ie": "IY", "oi": "OY", "oy": "OY", "au": "AO", "aw": "AO",
    "eu": "Y UW", "ew": "Y UW", "er": "ER", "ir": "ER", "ur": "ER", "ar": "AA R", "or": "AO R", "ce": "S", "ci": "S IH", "ge": "JH", "a": "AE", "b": "B",
    "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P",
    "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z",
}


def _spelled(word: str) -> tuple[str, ...]:
    """The phonemes that the letters of a word usually stand for; an e at the end is silent."""
    letters = word.replace("'", "")
    letters = letters[:-1] if len(letters) > 2 and letters.endswith("e") and letters[-2] not in "aeiou" else letters
    phonemes: list[str] = []
    while letters:
        size = next(size for size in (4, 3, 2, 1) if letters[:size] in _SPELLING)
        phonemes += _SPELLING[letters[:size]].split()
        letters = letters[size:]
    return tuple(phonemes)


def _plural(last: str) -> tuple[str, ...]:
    """How an s sounds behind a phoneme."""
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ("IH", "Z")
    return ("S",) if last in ("P", "T", "K", "F", "TH") else ("Z",)


@functools.cache
def _dictionary() -> dict[str, tuple[str, ...]]:
    try:
        import pocketsphinx
    except ImportError:
        raise TextError("phonemes need the CMU dictionary, which is not installed here: `pip install pocketsphinx` brings it.") from None
    lines = (Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict").read_text(encoding="utf-8").splitlines()
    entries = (line.split() for line in lines)
    return {word: tuple(phonemes) for word, *phonemes in entries if phonemes and "(" not in word}
