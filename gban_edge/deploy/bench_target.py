"""The recogniser that a benchmark measures, and the reference that says what is right."""

from __future__ import annotations

from functools import partial

from gban_edge import features
from gban_edge.deploy.bench_inputs import Utterance
from gban_edge.deploy.bench_options import BenchOptions
from gban_edge.deploy.bench_protocols import Call
from gban_edge.runtime.backend import KINDS, MODEL
from gban_edge.runtime.recognizer import EmotionRecognizer, find_model
from gban_edge.text import Vocabulary

ON_HOST = ("cpu", "onnxruntime")


class RecognizerTarget:
    """``recognizer`` as a :class:`gban_edge.deploy.bench_protocols.Target`.

    Args:
        source: "pcm" or "features": where its calls begin.
        wait: how they wait for a GPU.
    """

    def __init__(self, recognizer: EmotionRecognizer, source: str, wait: str) -> None:
        self._recognizer = recognizer
        self._source = source
        self._wait = wait

    @property
    def backend(self) -> str:
        return self._recognizer.backend

    @property
    def reason(self) -> str:
        return self._recognizer.backend_reason

    @property
    def sync(self) -> str | None:
        return None if self.backend.split()[0] in ON_HOST else self._wait

    @property
    def vocabulary(self) -> Vocabulary:
        return self._recognizer._network.vocabulary

    def prepare(self, utterance: Utterance) -> Call:
        if self._source == "pcm":
            return partial(
                self._recognizer, utterance.pcm, utterance.text, sample_rate=features.SAMPLE_RATE
            )
        words = self._recognizer._read(utterance.text)
        frames = features.extract(utterance.pcm)
        return partial(self._recognizer._finish, words, frames, utterance.seconds, (), 0.0)


def open_recognizer(options: BenchOptions) -> RecognizerTarget:
    """Load what ``options`` name.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: as ``EmotionRecognizer.from_pretrained``.
    """
    recognizer = EmotionRecognizer.from_pretrained(
        options.model,
        options.backend,
        precision=options.precision,
        threads=options.threads,
        device=options.device,
        wait=options.wait,
    )
    return RecognizerTarget(recognizer, options.source, options.wait)


def open_cpu(options: BenchOptions) -> RecognizerTarget | None:
    """The CPU's fp32 recogniser of the reference, or of the model where it is a model file and
    not of a later stage (ONNX, an engine); else None."""
    file = options.reference or find_model(options.model, options.backend)
    if options.reference is None and KINDS.get(file.suffix, MODEL) != MODEL:
        return None
    recognizer = EmotionRecognizer.from_pretrained(file, "cpu", precision="fp32")
    return RecognizerTarget(recognizer, options.source, options.wait)
