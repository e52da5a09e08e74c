"""What an ONNX file that gban-edge wrote says of itself, read from its metadata alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gban_edge import features
from gban_edge.config import GBANConfig
from gban_edge.text import Vocabulary

FORMAT, FORMAT_VERSION = "gban-edge onnx", 1
PARTS = ("gban_edge", "model", "vocabulary", "frontend", "calibration", "onnx", "training")
INPUTS = ("features", "feature_lengths", "words", "word_lengths")
OUTPUTS = (
    "logits", "probabilities", "aligned_gate", "last_gate", "speech_weights", "text_weights",
    "alpha",
)  # fmt: skip


@dataclass(frozen=True)
class OnnxFacts:
    """Everything a runtime needs beside the graph.

    Attributes:
        model: the registry's name of the network.
        config: its sizes.
        labels: the classes, in the order of the outputs.
        vocabulary: the words and their ids.
        precision: "fp32" or "fp16".
        flavour: "plain" or "plugin".
        functions: whether a plugin flavour holds its nodes' meaning too.
        parts: the metadata as it was, JSON text by name, to be handed on.
    """

    model: str
    config: GBANConfig
    labels: tuple[str, ...]
    vocabulary: Vocabulary
    precision: str
    flavour: str
    functions: bool
    parts: dict[str, str]

    @classmethod
    def read(cls, metadata: Mapping[str, str], where: str) -> OnnxFacts:
        """What ``metadata`` says.

        Args:
            where: the file, for messages.

        Raises:
            ValueError: gban-edge did not write it, or another version of it did, or it is damaged;
                says which and the cure.
        """
        if "gban_edge" not in metadata:
            raise ValueError(
                f"{where}: not an ONNX file that gban-edge wrote (no 'gban_edge' in its metadata); "
                "make one from a model file: gban-edge export MODEL -o FILE"
            )
        try:
            parts = {name: json.loads(metadata[name]) for name in PARTS}
        except KeyError as error:
            raise ValueError(f"{where}: metadata lacks {error}; export it again") from None
        except ValueError as error:
            raise ValueError(f"{where}: metadata is not JSON ({error}); export it again") from None
        try:
            return cls._parsed(parts, {name: metadata[name] for name in PARTS})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{where}: metadata is incomplete or malformed ({error!r})") from None
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None

    @classmethod
    def _parsed(cls, parts: Mapping[str, Any], texts: dict[str, str]) -> OnnxFacts:
        stamp, model, onnx = parts["gban_edge"], parts["model"], parts["onnx"]
        if (stamp["format"], stamp["version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError(
                f"format {stamp['format']!r} version {stamp['version']} is not {FORMAT!r} version "
                f"{FORMAT_VERSION}, which this package reads; export the model file again"
            )
        if parts["frontend"]["version"] != features.VERSION:
            raise ValueError(
                f"frontend version {parts['frontend']['version']!r} is not {features.VERSION}, "
                "the one this package computes; use the gban-edge that exported it"
            )
        config = GBANConfig.from_dict(model["config"])
        labels, words = tuple(model["labels"]), Vocabulary(tuple(parts["vocabulary"]))
        if len(set(labels)) != config.classes or len(labels) != config.classes:
            raise ValueError(f"labels must be {config.classes} different names, got {list(labels)}")
        if len(words) != config.vocabulary:
            raise ValueError(f"vocabulary must have {config.vocabulary} words, got {len(words)}")
        return cls(
            model["name"], config, labels, words, onnx["precision"], onnx["flavour"],
            bool(onnx["functions"]), texts,
        )  # fmt: skip
