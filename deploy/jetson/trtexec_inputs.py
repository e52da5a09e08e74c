#!/usr/bin/env python3
"""One utterance as trtexec's input files, whose own random numbers are no lengths and no word ids.

python3 deploy/jetson/trtexec_inputs.py MODEL -o FOLDER --sound speech.wav --words "that is incredible"
python3 deploy/jetson/trtexec_inputs.py MODEL -o FOLDER --seconds 7.5 --count 20

MODEL is the ONNX file, or the model file that it was exported from: its vocabulary gives the ids.
Written are features.dat (float32 [1, N, 52]), feature_lengths.dat (int32 [1]), words.dat (int32
[1, M]) and word_lengths.dat (int32 [1]), raw and in the machine's byte order, as trtexec reads
them. The flags for them are printed: --shapes, and --loadInputs.
"""  # noqa: E501

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from gban_edge import bundle, features
from gban_edge.config import GBANConfig
from gban_edge.deploy.onnx_graph import onnx_package
from gban_edge.files import write_bytes
from gban_edge.runtime.onnx_facts import INPUTS, OnnxFacts
from gban_edge.runtime.ragged import checked, padded
from gban_edge.runtime.sound import read_sound
from gban_edge.runtime.words import MAX_WORDS, read_words
from gban_edge.text import UNKNOWN_ID, Vocabulary

Arrays = dict[str, np.ndarray]


def main(arguments: list[str] | None = None) -> None:
    """Writes the files and prints the flags; errors are those of the functions below."""
    given = _parser().parse_args(arguments)
    config, vocabulary = read_model(given.model)
    if given.sound is None:
        frames, ids = random_utterance(vocabulary, given.seconds, given.count, given.seed)
    else:
        frames, ids = spoken_utterance(vocabulary, given.sound, given.words)
    arrays = inputs(frames, ids, config, given.frames, given.padded_words)
    for flag in write(arrays, given.output):
        print(flag)


def read_model(path: Path) -> tuple[GBANConfig, Vocabulary]:
    """Sizes and vocabulary of an ONNX file or a model file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: neither, or damaged, or of another network.
        RuntimeError: an ONNX file, and the package onnx is not installed.
    """
    if path.suffix != ".onnx":
        model = bundle.load(path)
        if model.model != "gban":
            raise ValueError(f"{path}: the network must be gban, got {model.model!r}")
        return model.config, model.vocabulary
    if not path.is_file():
        raise FileNotFoundError(f"ONNX file {path} does not exist")
    onnx = onnx_package()
    try:
        made = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's own exceptions have no common base but this
        raise ValueError(f"{path}: not an ONNX file ({error})") from error
    facts = OnnxFacts.read({p.key: p.value for p in made.metadata_props}, str(path))
    return facts.config, facts.vocabulary


def spoken_utterance(
    vocabulary: Vocabulary, sound: Path, words: str
) -> tuple[np.ndarray, np.ndarray]:
    """Features [N, 52] of a sound file, cut at 7.5 s, and ids [M]; errors as a recogniser's."""
    return features.extract(read_sound(sound).pcm), read_words(words, vocabulary).ids


def random_utterance(
    vocabulary: Vocabulary, seconds: float, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features [N, 52] of ``seconds`` of noise, and ``count`` ids of the vocabulary.

    Raises:
        ValueError: seconds not in 0..7.5, or a count not in 1..512.
    """
    if not 0.0 <= seconds <= features.MAX_SECONDS:
        raise ValueError(f"seconds must lie in 0..{features.MAX_SECONDS}, got {seconds}")
    if not 1 <= count <= MAX_WORDS:
        raise ValueError(f"count must lie in 1..{MAX_WORDS} words, got {count}")
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.1, round(seconds * features.SAMPLE_RATE)).clip(-1, 1)
    ids = rng.integers(UNKNOWN_ID, len(vocabulary), count).astype(np.int32)
    return features.extract(noise), ids


def inputs(
    frames: np.ndarray, ids: np.ndarray, config: GBANConfig,
    most_frames: int | None = None, most_words: int | None = None,
) -> Arrays:  # fmt: skip
    """The graph's inputs for one utterance of features [N, 52] and ids [M], padded with zeros.

    Args:
        most_frames: N of the array ``features``, for an engine of fixed size; the utterance's own
            (at least the receptive field) if left out.
        most_words: M of the array ``words``, likewise.

    Raises:
        ValueError: an utterance that the network does not take, or one larger than these.
    """
    made: Arrays = dict(padded(checked([frames], [ids], config), config))
    for name, most, what in (
        ("features", most_frames, "frames"),
        ("words", most_words, "padded-words"),
    ):
        least = made[name].shape[1]
        if most is None:
            continue
        if most < least:
            raise ValueError(f"{what} must be at least {least} for this utterance, got {most}")
        widths = [(0, 0)] * made[name].ndim
        widths[1] = (0, most - least)
        made[name] = np.pad(made[name], widths)
    return made


def write(arrays: Arrays, folder: Path) -> tuple[str, str]:
    """Writes one file an input into ``folder`` (made if missing); trtexec's two flags for them.

    Raises:
        ValueError: the folder's name has a character that separates what trtexec reads.
    """
    if set(str(folder)) & set(",:'"):
        raise ValueError(f"output must be a path without commas, colons and quotes, got {folder}")
    shapes, files = [], []
    for name in INPUTS:
        path = folder / f"{name}.dat"
        write_bytes(path, np.ascontiguousarray(arrays[name]).tobytes())
        shapes.append(f"{name}:{'x'.join(str(size) for size in arrays[name].shape)}")
        files.append(f"{name}:{path}")
    return f"--shapes={','.join(shapes)}", f"--loadInputs={','.join(files)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="One utterance as trtexec's input files.")
    add: Any = parser.add_argument
    add("model", type=Path, help="the ONNX file or the model file")
    add("-o", "--output", type=Path, required=True, help="the folder to write into")
    add("--sound", type=Path, help="a sound file; without one it is noise and random words")
    add("--words", default="", help="what is said in it")
    add("--seconds", type=float, default=features.MAX_SECONDS, help="of noise")
    add("--count", type=int, default=20, help="random words")
    add("--seed", type=int, default=0)
    add("--frames", type=int, help="pad the features to this many frames")
    add("--padded-words", type=int, help="pad the words to this many")
    return parser


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
