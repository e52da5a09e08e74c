"""The engine file: TensorRT's serialised plan, and a JSON file beside it that says what it is.

The engine file itself is the plan as TensorRT serialised it, so that trtexec --loadEngine reads it;
everything else stands in the sidecar, whose name is the engine's with ".json" appended.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gban_edge
from gban_edge.files import write_bytes, write_json
from gban_edge.runtime.engine_buckets import BUCKETS as BUCKETS
from gban_edge.runtime.engine_buckets import Bucket as Bucket
from gban_edge.runtime.onnx_facts import OnnxFacts

FORMAT, FORMAT_VERSION = "gban-edge engine", 1
CURE = "build it: gban-edge build FILE.onnx"
NAMES = {
    "tensorrt": "TensorRT",
    "module": "Python module",
    "gpu": "GPU",
    "capability": "compute capability",
    "plugin": "plugin library (sha256)",
    "onnx": "ONNX file (sha256)",
    "precision": "precision",
    "buckets": "length buckets",
}


@dataclass(frozen=True)
class EngineKey:
    """What an engine belongs to: where one of these differs, it must be built anew.

    Attributes:
        tensorrt: the module's version, as "10.3.0".
        module: "tensorrt" or "tensorrt_rtx".
        gpu: the GPU's name; "none" for an engine that was built without one.
        capability: its compute capability, as "8.7"; "" without a GPU.
        plugin: sha256 of the plugin library; "" for the plain flavour.
        onnx: sha256 of the ONNX file.
        precision: "fp32" or "fp16".
        buckets: (frames, words) of each optimisation profile, in order; empty where the shapes are
            dynamic.
    """

    tensorrt: str
    module: str
    gpu: str
    capability: str
    plugin: str
    onnx: str
    precision: str
    buckets: tuple[Bucket, ...]

    @property
    def dynamic(self) -> bool:
        """Whether one profile takes a range of shapes, in place of buckets of one shape each."""
        return not self.buckets

    def difference(self, now: EngineKey) -> str | None:
        """A sentence with every field in which ``now`` differs, both values; None where alike."""
        told = [
            f"{words} {_shown(getattr(self, name))} is now {_shown(getattr(now, name))}"
            for name, words in NAMES.items()
            if getattr(self, name) != getattr(now, name)
        ]
        return "the engine is of another build: " + ", ".join(told) if told else None

    def digest(self) -> str:
        """16 hexadecimal digits, for file names; keys that differ have different ones."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EngineKey:
        """The inverse of :func:`dataclasses.asdict`, through JSON; ValueError where it is not."""
        names = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or sorted(values) != sorted(names):
            raise ValueError(f"key must have the fields {', '.join(names)}, got {values!r}")
        buckets = values["buckets"]
        texts = {name: values[name] for name in names if name != "buckets"}
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError(f"key must hold texts, got {texts!r}")
        if not isinstance(buckets, (list, tuple)) or not all(map(_is_bucket, buckets)):
            raise ValueError(f"key's buckets must be pairs of integers, got {buckets!r}")
        return cls(**texts, buckets=tuple((b[0], b[1]) for b in buckets))


@dataclass(frozen=True)
class EngineFile:
    """An engine file and what its sidecar says.

    Attributes:
        path: the engine.
        key: what it belongs to.
        facts: what the ONNX file said of itself: labels, vocabulary, sizes.
        built: when, ISO 8601 with the time zone.
        seconds: how long parsing and building took.
        warnings: what TensorRT warned of on the way.
        sha256: of the plan.
    """

    path: Path
    key: EngineKey
    facts: OnnxFacts
    built: str
    seconds: float
    warnings: tuple[str, ...]
    sha256: str

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> EngineFile:
        """Read the sidecar of ``path`` and hold the engine against it.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not an engine that gban-edge built, or a damaged one, or one of another
                version of the format; says which and the cure.
        """
        engine = Path(path)
        if not engine.is_file():
            raise FileNotFoundError(f"engine {engine} does not exist; {CURE}")
        beside = sidecar(engine)
        if not beside.is_file():
            raise ValueError(
                f"{engine}: not an engine that gban-edge built ({beside.name} is not beside it, "
                f"which says what it is); copy both files, or {CURE}"
            )
        try:
            told = json.loads(beside.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{beside}: damaged, not JSON ({error}); {CURE}") from None
        try:
            made = cls._parsed(engine, told)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{beside}: damaged, lacks {error}; {CURE}") from None
        except ValueError as error:
            raise ValueError(f"{beside}: {error}; {CURE}") from None
        made.plan()
        return made

    @classmethod
    def _parsed(cls, path: Path, told: Mapping[str, Any]) -> EngineFile:
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise ValueError("not the sidecar of an engine that gban-edge built")
        if told.get("version") != FORMAT_VERSION:
            raise ValueError(
                f"version {told.get('version')!r} of the engine file is not {FORMAT_VERSION}, "
                "which this package reads"
            )
        key = EngineKey.from_dict(told["key"])
        facts = OnnxFacts.read(told["metadata"], str(path))
        if key.precision != facts.precision:
            raise ValueError(f"damaged, {key.precision} for a network of {facts.precision}")
        warnings = tuple(str(warning) for warning in told["warnings"])
        built, sha256 = str(told["built"]), str(told["sha256"])
        return cls(path, key, facts, built, float(told["seconds"]), warnings, sha256)

    def plan(self) -> bytes:
        """The bytes for TensorRT to deserialise.

        Raises:
            ValueError: they are not the ones that the sidecar describes.
        """
        plan = self.path.read_bytes()
        if hashlib.sha256(plan).hexdigest() != self.sha256:
            raise ValueError(
                f"{self.path}: damaged, or not the engine that {sidecar(self.path).name} describes "
                f"(its sha256 differs); {CURE}"
            )
        return plan


def write(
    path: str | os.PathLike[str],
    plan: bytes,
    key: EngineKey,
    facts: OnnxFacts,
    seconds: float,
    warnings: tuple[str, ...] = (),
) -> EngineFile:
    """Write the engine and its sidecar, each whole.

    The old sidecar goes first and the new one comes last: a crash in between leaves an engine
    without one, which is refused, and never one beside another engine.
    """
    target = Path(path)
    built = datetime.now(timezone.utc).astimezone().isoformat(timespec="seconds")
    sha256 = hashlib.sha256(plan).hexdigest()
    sidecar(target).unlink(missing_ok=True)
    write_bytes(target, plan)
    told = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "package": gban_edge.__version__,
        "key": asdict(key),
        "sha256": sha256,
        "built": built,
        "seconds": seconds,
        "warnings": list(warnings),
        "metadata": facts.parts,
    }
    write_json(sidecar(target), told)
    return EngineFile(target, key, facts, built, seconds, tuple(warnings), sha256)


def sidecar(path: Path) -> Path:
    """The JSON file beside an engine: its name with ".json" appended."""
    return path.with_name(path.name + ".json")


def file_digest(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, in hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _is_bucket(value: object) -> bool:
    return (
        isinstance(value, (list, tuple)) and len(value) == 2 and all(type(n) is int for n in value)
    )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(f"{frames}x{words}" for frames, words in value) or "dynamic"
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text or "none"
