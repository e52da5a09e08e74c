"""From sound and words to an emotion, with NumPy and the native core alone.

:class:`EmotionRecognizer` loads a model file and answers with a :class:`Result`. What computes the
network is a :class:`Backend`: the CPU's engine (cpu.py) or the GPU's (cuda.py).
"""

from gban_edge.runtime.backend import Backend, Output
from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.runtime.result import Result, WordAlignment
from gban_edge.runtime.stream import Stream

__all__ = ["Backend", "EmotionRecognizer", "Output", "Result", "Stream", "WordAlignment"]
