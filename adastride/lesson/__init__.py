"""The lesson: `STEPS` are its ten pages as data, each with its words, its formula, a question and the controls of its picture.

What a picture shows and no layer computes (tones, costs, a small network that learns) is worked out here, too.
"""

from adastride.lesson.core import STEPS, Step

__all__ = ["STEPS", "Step"]
