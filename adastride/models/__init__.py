"""Networks that use the downsampling layers."""

from adastride.models.classifier import Classifier, ClassifierConfig

__all__ = ["Classifier", "ClassifierConfig"]
