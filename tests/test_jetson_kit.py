"""deploy/jetson and its documents: what they name exists, and its programs do what they say."""

import os
import re
import runpy
import subprocess
import sys
import types

import pytest
from helpers import ROOT
from jetson_kit import DOCUMENTS, KIT, all_shell, blocks, program

SHELL = all_shell()
board_test = program("test")


# --- documents


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
        assert (path.parent / link).exists(), link


def test_paths_that_commands_name_exist():
    named = set(re.findall(r"(?<![\w/])(?:deploy|docs|tools|tests)/[\w./-]+\.\w+", SHELL))
    assert "deploy/jetson/trtexec_inputs.py" in named
    for name in named:
        assert (ROOT / name).exists(), name


def test_cmake_options_and_targets_exist():
    listing = [ROOT / "CMakeLists.txt", *sorted((ROOT / "cmake").glob("*.cmake"))]
    known = "\n".join(path.read_text() for path in listing)
    options = set(re.findall(r"-D(\w+)=", SHELL))
    targets = set(re.findall(r"--target (\w+)", SHELL))
    assert {"GBAN_CUDA", "GBAN_CUDA_ARCHITECTURES", "GBAN_TENSORRT", "TENSORRT_ROOT"} <= options
    assert targets == {"gban_edge_tensorrt"}
    if not (ROOT / "cmake" / "tensorrt.cmake").exists():  # the plugins, which come with these
        options -= {"GBAN_TENSORRT", "TENSORRT_ROOT"}
        targets = set()
    for name in options | targets:
        assert re.search(rf"\b{name}\b", known), name


def test_options_of_export_exist():
    lines = re.findall(r"gban-edge export [^`\n]*", "\n".join(p.read_text() for p in DOCUMENTS))
    source = (ROOT / "gban_edge" / "commands.py").read_text()
    assert lines
    for option in {word for line in lines for word in re.findall(r"(?<= )--?[\w-]+", line)}:
        declared = f'"{option}"' in source
        assert declared or f"    {option[2:]}: Annotated[" in source, option


def test_the_extra_it_installs_exists():
    extras = set(re.findall(r"(?:\.|\$source)\[(\w+)\]", SHELL))
    assert extras == {"deploy"}
    assert re.search(r"^deploy = \[", (ROOT / "pyproject.toml").read_text(), re.M)


def test_no_figure_of_a_board_is_claimed():
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    assert not re.findall(r"\d[\d.]* ?(?:µs|us|ms|mJ|fps)\b", text)


# --- the image


def instructions():
    """(instruction, arguments) of the Dockerfile."""
    text = re.sub(r"\\\n", " ", (KIT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split()[1:]) for line in lines]


def test_the_dockerfile_is_in_order_and_names_what_exists():
    kinds = [kind for kind, _ in instructions()]
    assert kinds[:2] == ["ARG", "FROM"]
    assert set(kinds) <= {"ARG", "FROM", "ADD", "COPY", "RUN", "ENV"}
    inside = {}
    for kind, arguments in instructions():
        if kind in ("ADD", "COPY"):
            for name in arguments[:-1]:
                inside[arguments[-1] + name] = KIT / name
                assert (KIT / name).exists() or name == "source.tar.gz"
        if kind == "RUN":
            program = next(word for word in arguments if word.startswith("/"))
            assert inside[program].is_file()
            assert arguments[0] == "python3" or os.access(inside[program], os.X_OK)
    arguments = [name for kind, names in instructions() if kind == "ARG" for name in names]
    given = {name.split("=")[0] for name in arguments}
    assert given == {"BASE_IMAGE", "CUDA_ARCHITECTURES", "TENSORRT_ROOT"}
    assert set(re.findall(r"--build-arg (\w+)=", SHELL)) <= given


def test_the_header_is_one_that_jetson_containers_takes():
    # _PACKAGE_KEYS of jetson_containers/packages.py, commit dd206bfe71f9.
    known = """alias build_args build_flags buildkit_device config depends disabled dockerfile docs
    group name notes path prefix postfix requires test""".split()
    text = (KIT / "Dockerfile").read_text()
    header = re.match(r"#---\n((?:# .*\n)+)#---\n", text)[1]
    values = dict(re.fullmatch(r"# (\w+): (.+)", line).groups() for line in header.splitlines())
    assert set(values) <= set(known)
    assert values["name"] == "gban-edge"
    for key in ("config", "docs", "test"):
        assert (KIT / values[key].split()[0]).is_file()
    assert "package-dirs=/path/to/gban-edge/deploy/jetson gban-edge" in SHELL


def test_the_library_is_where_the_image_says():
    variables = dict(a.split("=") for kind, args in instructions() if kind == "ENV" for a in args)
    library = variables[board_test.PLUGINS]
    assert library == "/opt/gban-edge/build/tensorrt/libgban_edge_tensorrt.so"
    build = (KIT / "build.sh").read_text()
    assert "source=/opt/gban-edge\n" in build
    assert '-B "$source/build/tensorrt"' in build
    found = ROOT / "gban_edge" / "deploy" / "plugin_library.py"
    if found.exists():  # who looks for it must look for the same
        names = runpy.run_path(str(found))
        assert names["VARIABLE"] == board_test.PLUGINS
        assert library.endswith("/" + names["NAME"])


def test_shell_scripts_parse():
    for path in sorted(KIT.glob("*.sh")):
        assert os.access(path, os.X_OK), path
        assert path.read_text().startswith("#!/usr/bin/env bash\n")
        subprocess.run(["bash", "-n", path], check=True)
    for path in DOCUMENTS:
        for block in blocks(path.read_text()):
            subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    subprocess.run([KIT / "pack.sh", folder / "source.tar.gz"], check=True)
    (folder / "gban-edge").mkdir()
    subprocess.run(
        ["tar", "-xzf", folder / "source.tar.gz", "-C", folder / "gban-edge"], check=True
    )
    return folder / "gban-edge"


def test_the_packed_sources_suffice_to_configure(packed, tmp_path):
    assert not [p for p in packed.rglob("*") if p.suffix in (".so", ".pyc", ".gz")]
    for name in (
        "gban_edge/deploy/onnx_export.py",
        "deploy/jetson/test.py",
        "README.md",
        "LICENSE",
    ):
        assert (packed / name).is_file(), name
    cmake = [sys.executable, "-m", "cmake", "-S", packed, "-B", tmp_path, "-G", "Ninja"]
    arguments = [f"-DCMAKE_MAKE_PROGRAM={ninja()}", "-DGBAN_PYTHON=OFF", "-DGBAN_CUDA=0"]
    done = subprocess.run([*cmake, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def ninja():
    import ninja

    return f"{ninja.BIN_DIR}/ninja"


def test_config_for_jetson_containers(packed, monkeypatch):
    theirs = types.ModuleType("jetson_containers")
    kit = packed / "deploy" / "jetson"
    for architectures, wanted in (([87], "87-real"), ([87, 110, 120, 121], "87-real;110-real")):
        theirs.CUDA_ARCHITECTURES = architectures
        monkeypatch.setitem(sys.modules, "jetson_containers", theirs)
        package = {"path": str(kit), "name": "gban-edge"}
        made = runpy.run_path(str(kit / "config.py"), {"package": package})["package"]
        assert made == {**package, "build_args": {"CUDA_ARCHITECTURES": wanted}}
    assert (kit / "source.tar.gz").stat().st_size > 100_000
    assert "source.tar.gz" in (KIT / ".gitignore").read_text().split()


def test_the_test_of_an_installation(monkeypatch, capsys, tmp_path):
    board_test.main([])
    told = capsys.readouterr().out
    assert told.endswith("gban-edge OK\n")
    assert len(re.findall(r"^(?:plain|plugin) fp(?:32|16): .* off by", told, re.M)) == 4
    monkeypatch.setattr(board_test, "ALLOWED", {"fp16": 0.0})
    with pytest.raises(RuntimeError, match="plain fp16 gives other probabilities than the core"):
        board_test.check_export(tmp_path)


def test_what_a_board_must_have_is_asked_for(monkeypatch, tmp_path, capsys):
    core = types.SimpleNamespace(
        cuda_built=lambda: False, cuda_devices=lambda: {"found": [], "reason": "no driver"}
    )
    monkeypatch.setattr(board_test, "native", lambda: core)
    with pytest.raises(RuntimeError, match="built without CUDA"):
        board_test.check_board()
    core.cuda_built = lambda: True
    with pytest.raises(RuntimeError, match=r"no GPU is seen \(no driver\).*--runtime nvidia"):
        board_test.check_board()
    core.cuda_devices = lambda: {"found": [{"name": "Orin"}]}
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(RuntimeError, match=r"TensorRT's Python module is not seen.*site-packages"):
        board_test.check_board()
    fake = types.ModuleType("tensorrt")
    fake.__version__ = "10.3.0"
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    monkeypatch.delenv(board_test.PLUGINS, raising=False)
    with pytest.raises(RuntimeError, match=r"must name libgban_edge_tensorrt\.so, got ''"):
        board_test.check_board()
    (tmp_path / "lib.so").write_bytes(b"not a library")
    monkeypatch.setenv(board_test.PLUGINS, str(tmp_path / "lib.so"))
    with pytest.raises(RuntimeError, match="the plugins do not load"):
        board_test.check_board()
