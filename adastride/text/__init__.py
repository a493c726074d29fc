"""What recognisers write: vocabularies of words, characters, phonemes and word pieces, and how far one text is from another."""

from adastride.text.distance import Edits, compare
from adastride.text.vocabulary import UNITS, TextError, Vocabulary, learned_tokens

__all__ = ["UNITS", "Edits", "TextError", "Vocabulary", "compare", "learned_tokens"]
