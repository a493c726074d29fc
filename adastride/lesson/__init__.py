"""The lesson of the Learn page, without Streamlit: eleven steps as data (prose.py), each with the controls of its picture.

Whatever a picture needs that the browser can't work out by itself is computed here: a word, tones, pictures, costs, and a small network in
training.
"""

from adastride.lesson.controls import Settings
from adastride.lesson.prose import NUMBER, STEPS
from adastride.lesson.steps import Step

__all__ = ["NUMBER", "STEPS", "Settings", "Step"]
