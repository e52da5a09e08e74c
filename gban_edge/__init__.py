"""gban-edge: the emotion in one spoken utterance, from its sound and its words, on the device."""

__version__ = "0.1.0"
