"""What a benchmark found, and the files that it is kept in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gban_edge.files import write_json, write_text

FORMAT, SCHEMA = "gban-edge benchmark", 1


@dataclass(frozen=True)
class Report:
    """One benchmark; every attribute is a key of the JSON file, units in the names.

    Attributes:
        date: local, with the offset from UTC, when the measured calls began.
        interrupted: Ctrl-C ended it early; the figures are of the calls until then.
        options: those of the benchmark, as given.
        model: ``file``, ``bytes``, ``sha256``.
        backend: ``name``, ``kind``, ``precision``, ``reason``, ``sync``.
        versions: of the packages and of the core.
        machine: the board's facts ``before`` the measured calls (after warm-up) and ``after``.
        check: what the answers were compared with and their greatest difference.
        cold: a fresh process's phases, or None.
        count, seconds, throughput: measured calls, their time, calls a second.
        latency_ms: ``min``, ``p50``, ``p90`` (the headline), ``p99``, ``p99.9``, ``max``, ``mean``.
        histogram: ``edges_ms``, ``counts``.
        stages_ms: ``p50`` and ``p90`` of each stage.
        drift: p50 of the first and the last tenth.
        throttling: a hint, temperatures and clocks that changed.
        energy: joules an inference, or None, and then ``no_energy`` says why.
        notes: how it was measured and what to mind.
    """

    date: str
    interrupted: bool
    options: dict[str, Any]
    model: dict[str, Any]
    backend: dict[str, Any]
    versions: dict[str, str]
    machine: dict[str, Any]
    check: dict[str, Any]
    cold: dict[str, Any] | None
    count: int
    seconds: float
    throughput: float
    latency_ms: dict[str, float]
    histogram: dict[str, list[Any]]
    stages_ms: dict[str, dict[str, float]]
    drift: dict[str, float]
    throttling: dict[str, Any]
    energy: dict[str, Any] | None
    no_energy: str
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"format": FORMAT, "schema": SCHEMA, **asdict(self)}

    @property
    def stem(self) -> str:
        """The files' name without its ending: "bench-cpu-fp32-20261123-040928"."""
        moment = self.date[:19].replace("-", "").replace(":", "").replace("T", "-")
        return f"bench-{self.backend['kind']}-{self.backend['precision']}-{moment}"


def write_report(report: Report, folder: Path, plot: bool = True) -> list[Path]:
    """Write the JSON, Markdown and (``plot``) PNG files into ``folder``; their paths.

    Raises:
        RuntimeError: matplotlib is missing; the other two files are written then.
        OSError: the folder cannot be written to.
    """
    from gban_edge.deploy.bench_markdown import markdown

    base = folder / report.stem
    paths = [base.with_suffix(".json"), base.with_suffix(".md")]
    write_json(paths[0], report.to_dict())
    picture = base.with_suffix(".png")
    write_text(paths[1], markdown(report, picture.name if plot else None))
    if plot:
        from gban_edge.deploy.bench_plot import write_plot

        write_plot(report, picture)
        paths.append(picture)
    return paths


def read_report(path: Path) -> dict[str, Any]:
    """A report's JSON file as plain values.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a report, or one of another schema.
    """
    if not path.is_file():
        raise FileNotFoundError(f"report {path} does not exist")
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); give the .json file of a bench") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f"{path} is no report of gban-edge bench; give its .json file")
    if values.get("schema") != SCHEMA:
        raise ValueError(
            f"{path}: schema must be {SCHEMA}, the one this version compares, got "
            f"{values.get('schema')!r}; measure again with this version"
        )
    return values
