"""Names the subjects that networks are trained on, in the order in which people see them. Nothing else names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """What a network was trained on. title: its name in a picker. data: for a table, the data set, its splits and its classes."""

    title: str
    data: str


SUBJECTS = {
    "digits": Subject("Spoken digits", "Free Spoken Digit Dataset, its six speakers in every split, 10 digits"),
    "commands": Subject("Spoken commands", "Speech Commands v0.02, its test list split by speaker, 12 classes"),
    "emotion": Subject("Emotion in speech", "Berlin Database of Emotional Speech, split by speaker, 7 emotions"),
    "scenes": Subject("Environmental sounds", "ESC-10, split by fold, 10 kinds of sounds"),
    "digits-string": Subject("Strings of digits", "Free Spoken Digit Dataset, Speech Commands and espeak-ng voices, 10 words"),
    "words-string": Subject("Strings of digits and commands", "Free Spoken Digit Dataset, Speech Commands and espeak-ng voices, 20 words"),
    "phonemes": Subject("Read speech, phonemes", "LibriSpeech, excerpts of 3.7 hours, 39 phonemes"),
    "phonemes-third": Subject("Read speech, a third", "LibriSpeech, a third of the training clips of phonemes"),
    "phonemes-tenth": Subject("Read speech, a tenth", "LibriSpeech, a tenth of the training clips of phonemes"),
    "codec": Subject("Codec of one voice", "CMU Arctic prompts read by one woman, 57 minutes, and clips of another voice to test"),
    "codec-64": Subject("Codec of one voice, 64 codes", "CMU Arctic prompts read by one woman, 57 minutes, and clips of another voice to test"),
    "codec-adversarial": Subject(
        "Codec of one voice, judged by a discriminator",
        "CMU Arctic prompts read by one woman, 57 minutes, and clips of another voice to test",
    ),
    "speakers": Subject("Who speaks", "LibriSpeech, sentences of 1.5 to 33 s by 18 readers, the later ones of each to test"),
    "speakers-convolutional": Subject("Who speaks, convolutional", "LibriSpeech, sentences of 1.5 to 33 s by 18 readers, the later ones of each to test"),
    "scenes-patches": Subject("Environmental sounds, in patches", "ESC-10, split by fold, 10 kinds of sounds"),
    "four-tasks": Subject("Four tasks at once", "digits, commands, emotion and scenes as above"),
    "digits-speakers": Subject("Spoken digits, other speakers", "Free Spoken Digit Dataset, one speaker held out in turn, 10 digits"),
}


def title_of(task: str) -> str:
    """What people call what a network was trained on; a task of somebody's own has no other name."""
    return SUBJECTS[task].title if task in SUBJECTS else task
