"""The networks that use the downsampling layers. `network` defines what all of them have in common; each has a file of its own.

What a network's answer means is said in `adastride.tasks`.
"""

from adastride.models.audio_transformer import AudioTransformer, AudioTransformerConfig
from adastride.models.classifier import Classifier, ClassifierConfig
from adastride.models.codec import Codec, CodecConfig
from adastride.models.elastic import AST, ElasticAST
from adastride.models.images import ImageClassifier, ImageConfig
from adastride.models.network import Model, ModelConfig, Network, NetworkConfig, Output, Resume
from adastride.models.picture_network import PictureNetwork
from adastride.models.recogniser import Recogniser, RecogniserConfig
from adastride.models.spectrograms import SpectrogramClassifier, SpectrogramConfig

__all__ = [
    "AST", "AudioTransformer", "AudioTransformerConfig", "Classifier", "ClassifierConfig", "Codec", "CodecConfig", "ElasticAST",
    "ImageClassifier", "ImageConfig", "Model", "ModelConfig", "Network", "NetworkConfig", "Output", "PictureNetwork", "Recogniser", "RecogniserConfig",
    "Resume", "SpectrogramClassifier", "SpectrogramConfig",
]
