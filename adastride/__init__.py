"""AdaStride Explorer's library: adaptive strides for sequences, and the tools that show what they do."""

__version__ = "0.1.0"
