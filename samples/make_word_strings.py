"""Makes a folder of spoken digits and commands to train recognisers of twenty words on, with strings of them to choose by and to test.

The folder is that of samples/make_digit_strings.py with the ten command words of Speech Commands besides the digits. The strings of
fsdd, which has no commands, are digits alone. Those of the other sources draw each of the twenty words with the same chance, however
few recordings there are of it: Speech Commands has fifty times as many of "go" as of "zero" in the test split.

Usage: python samples/make_word_strings.py build/word-strings [DATA_ROOT]        (needs the program espeak-ng)
"""

from __future__ import annotations

from make_digit_strings import WordSet, main  # beside this file
from make_spoken_digits import WORDS

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
DIGITS_AND_COMMANDS = WordSet("Connected digits and commands", "make_word_strings.py", (*WORDS, *COMMANDS), evenly=True)

if __name__ == "__main__":
    main(DIGITS_AND_COMMANDS, __doc__)
