"""Networks that use the downsampling layers: `network` says what every one of them is, and each has a file of its own.

What a network's answer means is not said here but in `adastride.tasks`.
"""

from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.models.network import Network, NetworkConfig, Output, Resume

__all__ = ["Classifier", "ClassifierConfig", "Network", "NetworkConfig", "Output", "Resume"]
