"""Models of the Hugging Face hub: the cache first, the network only for what it lacks, and told."""

from __future__ import annotations

import logging
import re
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

LOG = logging.getLogger("gban_edge")
_NAME = re.compile(r"([A-Za-z0-9][\w.-]*)/([A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?")
_FILES = (".safetensors", ".onnx", ".engine")


class _Name(NamedTuple):
    repository: str
    revision: str


def is_name(path: object) -> bool:
    """Whether ``path`` can be "owner/name" or "owner/name@revision" of the hub, and no path.

    Only text can. A name that ends like a model file is none, nor one whose owner is a folder here.

    >>> is_name("someone/gban"), is_name("gban"), is_name("models/gban.safetensors")
    (True, False, False)
    """
    found = _NAME.fullmatch(path) if isinstance(path, str) else None
    return found is not None and not (
        found[2].endswith(_FILES) or (found[3] is None and Path(found[1]).is_dir())
    )


def find(name: str, kind: str, ending: str) -> Path:
    """The only file of the repository ``name`` that matches ``ending``.

    From huggingface_hub's cache without network where it is there. Otherwise it alone is downloaded
    into that cache, and the logger "gban_edge" says what from where as a warning first.

    Args:
        name: "owner/name", the branch main then, or "owner/name@revision".
        kind: what to call the file in messages.
        ending: "*.safetensors" or "*.onnx".

    Raises:
        FileNotFoundError: no such repository or revision, or none or several such files in it.
        ConnectionError: the hub is not reached, or refuses, and the cache lacks the file.
        RuntimeError: huggingface_hub is not installed.
    """
    library, constants = _library(name), import_module("huggingface_hub.constants")
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise ValueError(f"name must be owner/name of the Hugging Face hub, got {name!r}")
    wanted = _Name(f"{matched[1]}/{matched[2]}", matched[3] or "main")
    cached = _cached(Path(constants.HF_HUB_CACHE), wanted)
    found = [] if cached is None else sorted(cached.glob(ending))
    if found:
        return _only(found, f"the cache of {name}, {cached},", kind, ending)
    try:
        return _download(library, constants, wanted, kind, ending)
    except FileNotFoundError:
        raise
    except Exception as error:  # of the HTTP client too, which huggingface_hub's versions change
        raise _told(wanted, error) from error


def _library(name: str) -> Any:
    try:
        return import_module("huggingface_hub")
    except ImportError as error:
        raise RuntimeError(
            f"{name} is no file or folder here, and to look on the Hugging Face hub "
            "huggingface_hub is needed, which is not installed: pip install 'gban-edge[hub]'"
        ) from error


def _cached(cache: Path, wanted: _Name) -> Path | None:
    """The folder of the revision in the cache, as huggingface_hub documents its layout."""
    folder = cache / ("models--" + wanted.repository.replace("/", "--"))
    ref = folder / "refs" / wanted.revision
    commit = ref.read_text().strip() if ref.is_file() else wanted.revision
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def _download(library: Any, constants: Any, wanted: _Name, kind: str, ending: str) -> Path:
    known = library.HfApi().model_info(
        wanted.repository, revision=wanted.revision, files_metadata=True
    )
    sizes = {one.rfilename: one.size for one in known.siblings if "/" not in one.rfilename}
    matching = [Path(name) for name in sorted(sizes) if PurePosixPath(name).match(ending)]
    file = _only(matching, f"{wanted.repository} ({wanted.revision})", kind, ending).name
    size = "size unknown" if sizes[file] is None else f"{sizes[file] / 1e6:.1f} MB"
    LOG.warning(
        "downloading %s (%s) of %s from %s to %s",
        file, size, wanted.repository, constants.ENDPOINT, constants.HF_HUB_CACHE,
    )  # fmt: skip
    return Path(library.hf_hub_download(wanted.repository, file, revision=wanted.revision))


def _only(found: list[Path], place: str, kind: str, ending: str) -> Path:
    if len(found) != 1:
        names = ", ".join(file.name for file in found[:5]) or "none"
        raise FileNotFoundError(f"{place} must hold exactly one {kind} ({ending}), got {names}")
    return found[0]


def _told(wanted: _Name, error: Exception) -> OSError:
    """What to raise instead of ``error``."""
    said = str(error).strip().splitlines()
    first = said[0] if said else type(error).__name__
    name, errors = wanted.repository, import_module("huggingface_hub.errors")
    if isinstance(error, errors.GatedRepoError):
        return ConnectionError(f"{name}: the Hugging Face hub asks for leave to read it: {first}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return FileNotFoundError(
            f"{name} is no file or folder here and no public repository of the Hugging Face hub"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return FileNotFoundError(f"{name} has no revision {wanted.revision} on the hub")
    return ConnectionError(
        f"{name} is no file or folder here, huggingface_hub's cache lacks it, and the hub could "
        f"not be asked: {first}"
    )
