#!/usr/bin/env python3
"""The reference, docs/reference/*.md, written from the docstrings of gban_edge.

    python tools/reference.py             write the pages
    python tools/reference.py --check     fail where a page is not what the docstrings give

The sources are read, not imported, so that no optional package is needed.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge.files import write_text
from tools.docstrings import markdown

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
WIDTH = 96  # of a signature in one line
HEAD = "<!-- Written by tools/reference.py from the docstrings: change those, run it again. -->\n\n"


class Page(NamedTuple):
    """A page: its title, what it is about, and (module, names, where users import them from)."""

    title: str
    parts: tuple[tuple[str, str, str], ...]


PAGES = {
    "recognizer": Page("The recogniser and its answer", (
        ("gban_edge.runtime.recognizer", "EmotionRecognizer", "gban_edge"),
        ("gban_edge.runtime.result", "Result WordAlignment", "gban_edge.runtime"),
        ("gban_edge.runtime.stream", "Stream", "gban_edge.runtime"),
        ("gban_edge.runtime.long", "SpokenSegment", "gban_edge.runtime.long"),
    )),
    "stream": Page("Utterances in sound that arrives", (
        ("gban_edge.stream", "UtteranceStream Level SpeechStarted SpeechEnded", "gban_edge.stream"),
    )),
    "vad": Page("Where somebody speaks", (
        ("gban_edge.vad", "SileroVad EnergyGate open_vad segments", "gban_edge.vad"),
        ("gban_edge.endpoint", "Timing Segment SpeechBegan SpeechStopped Vad", "gban_edge.vad"),
    )),
    "words": Page("What was said", (
        ("gban_edge.words", "none pocketsphinx sherpa_onnx find_sherpa", "gban_edge.words"),
    )),
    "plot": Page("Pictures of an answer", (
        ("gban_edge.plot", "alignment gates", "gban_edge.plot"),
    )),
    "serve": Page("The service", (
        ("gban_edge.serve", "", "gban_edge.serve"),
        ("gban_edge.serve.options", "ServeOptions Limits", "gban_edge.serve"),
        ("gban_edge.serve.app", "create_app", "gban_edge.serve"),
        ("gban_edge.serve.server", "run", "gban_edge.serve"),
        ("gban_edge.serve.listening", "Listener ByVoice ByHand", "gban_edge.serve.listening"),
    )),
    "features": Page("The speech frontend", (
        ("gban_edge.features", "extract Frontend extract_ref frame_count", "gban_edge.features"),
    )),
    "ops": Page("The alignment", (
        ("gban_edge.ops.alignment", "align_pool align_pool_ref AlignPoolOutput reference",
         "gban_edge.ops"),
    )),
    "bundle": Page("The model file", (
        ("gban_edge.bundle", "load save Bundle Standardisation", "gban_edge.bundle"),
        ("gban_edge.config", "GBANConfig", "gban_edge.config"),
        ("gban_edge.text", "tokenize Vocabulary", "gban_edge.text"),
        ("gban_edge.labels", "LABELS FULL_NAMES", "gban_edge.labels"),
    )),
    "calibration": Page("How sure it is", (
        ("gban_edge.calibration", "softmax abstain_threshold reliability Reliability "
         "expected_calibration_error accuracy_coverage accuracy_at_coverage",
         "gban_edge.calibration"),
    )),
    "models": Page("The networks in PyTorch", (
        ("gban_edge.models", "names build from_bundle", "gban_edge.models"),
        ("gban_edge.models.output", "ModelOutput", "gban_edge.models"),
    )),
    "deploy": Page("ONNX files and TensorRT engines", (
        ("gban_edge.deploy.onnx_export", "export", "gban_edge.deploy.onnx_export"),
        ("gban_edge.deploy.tensorrt_build", "build", "gban_edge.deploy.tensorrt_build"),
        ("gban_edge.deploy.tensorrt_cache", "engine_for", "gban_edge.deploy.tensorrt_cache"),
    )),
    "hub": Page("Models of the Hugging Face hub", (
        ("gban_edge.hub", "is_name find", "gban_edge.hub"),
    )),
}  # fmt: skip


def pages() -> dict[str, str]:
    """What each file of docs/reference must hold, by its name."""
    made = {f"{name}.md": _page(page) for name, page in PAGES.items()}
    rows = [
        f"- [{page.title}]({name}.md): "
        + ", ".join(f"`{one}`" for _, names, _ in page.parts for one in names.split())
        for name, page in PAGES.items()
    ]
    index = "# Reference\n\nOf every public name, from its docstring.\n\n" + "\n".join(rows) + "\n"
    return {"README.md": HEAD + index, **made}


def _page(page: Page) -> str:
    lines = [f"# {page.title}", ""]
    for i, (module, names, place) in enumerate(page.parts):
        tree = ast.parse(source(module).read_text("utf-8"))
        if i == 0:
            lines += [*markdown(ast.get_docstring(tree) or ""), ""]
        for name in names.split():
            lines += _entry(tree, name, place)
    return HEAD + re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def source(module: str) -> Path:
    """The file of a module or package."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _entry(tree: ast.Module, name: str, place: str) -> list[str]:
    """The section of a public name."""
    found = next((node for node in tree.body if getattr(node, "name", "") == name), None)
    head = [f"## `{place}.{name}`", ""]
    if isinstance(found, ast.ClassDef):
        return head + _class(found)
    if isinstance(found, ast.FunctionDef):
        return head + _function(found, found.name)
    return head + _constant(tree, name)


def _constant(tree: ast.Module, name: str) -> list[str]:
    """A constant, and the string below it."""
    for node, below in zip(tree.body, tree.body[1:], strict=False):
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == name and isinstance(below, ast.Expr):
            assert isinstance(below.value, ast.Constant)
            return [*_fenced(ast.unparse(node)), *markdown(str(below.value.value)), ""]
    raise ValueError(f"{name} is no class, function or documented constant of its module")


def _class(node: ast.ClassDef) -> list[str]:
    shown = _fields(node) if _is_data(node) else []
    methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
    begin = next((one for one in methods if one.name == "__init__"), None)
    if begin is not None:
        shown = _parameters(begin)
    protocol = any(ast.unparse(base) == "Protocol" for base in node.bases)
    lines = _fenced(f"class {node.name}(Protocol)" if protocol else _call(node.name, shown, ""))
    lines += [*markdown(ast.get_docstring(node) or ""), ""]
    for one in methods:
        text = ast.get_docstring(one)
        if text and (one.name == "__call__" or not one.name.startswith("_")):
            lines += [f"### `{node.name}.{one.name}`", "", *_function(one, one.name)]
    return lines


def _is_data(node: ast.ClassDef) -> bool:
    marks = [ast.unparse(one) for one in (*node.decorator_list, *node.bases)]
    return any("dataclass" in mark or mark == "NamedTuple" for mark in marks)


def _fields(node: ast.ClassDef) -> list[str]:
    """The fields of a dataclass or named tuple, as its constructor takes them."""
    return [
        ast.unparse(one)
        for one in node.body
        if isinstance(one, ast.AnnAssign) and not ast.unparse(one.target).startswith("_")
    ]


def _function(node: ast.FunctionDef, name: str) -> list[str]:
    decorators = [ast.unparse(one) for one in node.decorator_list]
    returns = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    if "property" in decorators:
        lines = _fenced(f"{name}{returns.replace(' ->', ':')}  (property)")
    else:
        lines = _fenced(_call(name, _parameters(node), returns))
    return [*lines, *markdown(ast.get_docstring(node) or ""), ""]


def _parameters(node: ast.FunctionDef) -> list[str]:
    """Each parameter with its type and default; not self."""
    given = node.args
    every = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(every) - len(given.defaults)) + list(given.defaults)
    shown = [_parameter(a, d) for a, d in zip(every, defaults, strict=True)]
    if every and every[0].arg in ("self", "cls"):
        del shown[0]
    if given.kwonlyargs:
        shown.append("*")
        shown += map(_parameter, given.kwonlyargs, given.kw_defaults)
    return shown


def _parameter(arg: ast.arg, default: ast.expr | None) -> str:
    text = arg.arg if arg.annotation is None else f"{arg.arg}: {ast.unparse(arg.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _call(name: str, parameters: list[str], returns: str) -> str:
    """A signature: in one line where it fits, else a line a parameter."""
    line = f"{name}({', '.join(parameters)}){returns}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {one},\n" for one in parameters) + f"){returns}"


def _fenced(text: str) -> list[str]:
    return ["```text", text, "```", ""]


def stale() -> list[str]:
    """The files of docs/reference that are not what the docstrings give."""
    wanted = pages()
    there = {path.name for path in FOLDER.glob("*")}
    different = [
        name for name, text in wanted.items()
        if name in there and (FOLDER / name).read_text("utf-8") != text
    ]  # fmt: skip
    return sorted(different + list(there ^ set(wanted)))


def main(
    check: Annotated[bool, typer.Option("--check", help="Compare, and write nothing.")] = False,
) -> None:
    """Write docs/reference, or say which of its pages are stale."""
    if check:
        found = stale()
        if found:
            print(f"stale in docs/reference: {', '.join(found)}; run python tools/reference.py",
                  file=sys.stderr)  # fmt: skip
            raise SystemExit(1)
        return
    wanted = pages()
    for name, text in wanted.items():
        write_text(FOLDER / name, text)
    for path in FOLDER.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    print(f"{len(wanted)} pages in {FOLDER.relative_to(ROOT)}")


if __name__ == "__main__":
    typer.run(main)
