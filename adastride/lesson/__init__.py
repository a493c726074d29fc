"""The Learn page's lesson, without Streamlit: ten steps as data (prose.py), each with the controls of its picture.

What a picture needs that the browser can't work out by itself is computed here: a word, tones, costs, a small network in training.
"""

from adastride.lesson.controls import Settings
from adastride.lesson.prose import NUMBER, STEPS
from adastride.lesson.steps import Step

__all__ = ["NUMBER", "STEPS", "Settings", "Step"]
