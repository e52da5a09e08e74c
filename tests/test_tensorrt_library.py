"""The TensorRT plugin library as it is built and loaded: what CMake says, what the library exports.

What the plugins compute is csrc/tests/tensorrt_plugin_test.cpp's, in every `make ctest`. The build
against real headers takes minutes: `make test-full`, with TENSORRT_ROOT, or several folders in
GBAN_TENSORRT_ROOTS, divided as PATH is.
"""

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

import gban_edge

ARCHITECTURES = ("87", "90", "110")
NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
ROOTS = [
    Path(root)
    for root in (
        os.environ.get("GBAN_TENSORRT_ROOTS") or os.environ.get("TENSORRT_ROOT") or ""
    ).split(os.pathsep)
    if root
]


def tool(name):
    beside = Path(sys.executable).parent / name  # of this environment, else the system's
    return beside if beside.exists() else shutil.which(name)


def configure(build, *options, **environment):
    kept = {k: v for k, v in os.environ.items() if k != "TENSORRT_ROOT"}
    ninja = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"] if tool("ninja") else []
    return subprocess.run(
        [tool("cmake"), "-S", ROOT, "-B", build, *ninja, "-DGBAN_PYTHON=OFF", *options],
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )


def said(done):
    """CMake's words on one line: it breaks those of errors."""
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    """Configures without CUDA, where options replace those of the last call."""
    build = tmp_path_factory.mktemp("configured")

    def run(tensorrt, root="", **environment):
        options = ["-DGBAN_CUDA=0", f"-DGBAN_TENSORRT={tensorrt}", f"-DTENSORRT_ROOT={root}"]
        return configure(build, *options, **environment)

    return run


def headers(folder, lines):
    (folder / "include").mkdir()
    (folder / "include" / "NvInferVersion.h").write_text(lines)
    (folder / "include" / "NvInfer.h").write_text("#error not to be compiled here\n")
    return folder


OLD = (
    "#define NV_TENSORRT_MAJOR 8 //!< major\n"
    "#define NV_TENSORRT_MINOR 6\n#define NV_TENSORRT_PATCH 1\n"
)
# As 10.16 and later write it.
NEW = "".join(
    f"#define TRT_{part}_ENTERPRISE {n}\n#define NV_TENSORRT_{part} TRT_{part}_ENTERPRISE //!< it\n"
    for part, n in (("MAJOR", 11), ("MINOR", 1), ("PATCH", 0))
)


def test_missing_headers_are_an_error_that_names_the_cure(configured, tmp_path):
    for tensorrt in ("1", "auto"):  # a folder that was named must hold them, asked for or not
        done = configured(tensorrt, tmp_path)
        assert done.returncode != 0
        assert f"no NvInfer.h in {tmp_path}/include" in said(done)
        assert "set TENSORRT_ROOT to the folder that holds include/NvInfer.h" in said(done)


def test_headers_before_tensorrt_10_are_refused_with_the_reason(configured, tmp_path):
    done = configured("auto", headers(tmp_path, OLD))
    assert done.returncode != 0
    assert "has the headers of TensorRT 8.6.1, and the plugins need 10.0 or later" in said(done)
    assert "JetPack 5 is not supported" in said(done)


def test_the_plugins_need_the_kernels(configured, tmp_path):
    root = headers(tmp_path, NEW)
    done = configured("1", root)
    assert done.returncode != 0
    assert "GBAN_TENSORRT=1 needs the CUDA kernels: put an nvcc that works on the PATH" in said(
        done
    )
    done = configured("auto", root)
    assert done.returncode == 0, said(done)
    assert "TensorRT plugins: not built (the CUDA kernels are not built)" in said(done)


def test_it_says_what_it_left_out(configured):
    done = configured("0", "/nowhere")
    assert done.returncode == 0, said(done)
    assert "TensorRT plugins: not built (GBAN_TENSORRT=0)" in said(done)
    done = configured("maybe")
    assert done.returncode != 0
    assert "GBAN_TENSORRT must be auto, 0 or 1, got maybe" in said(done)


def test_the_root_may_come_from_the_environment(tmp_path):
    done = configure(tmp_path / "build", "-DGBAN_CUDA=0", TENSORRT_ROOT=str(tmp_path))
    assert done.returncode != 0
    assert f"no NvInfer.h in {tmp_path}/include" in said(done)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The library for a root; the core is built once for all roots."""
    if not ROOTS:
        pytest.skip(
            "no TensorRT headers: set TENSORRT_ROOT to a folder that holds include/NvInfer.h, "
            "or GBAN_TENSORRT_ROOTS to several"
        )
    if not NVCC:
        pytest.skip("no nvcc: put the CUDA toolkit's bin folder on the PATH")
    build, kept = tmp_path_factory.mktemp("plugin"), tmp_path_factory.mktemp("libraries")
    architectures = ";".join(f"{arch}-real" for arch in ARCHITECTURES)
    known = {}

    def library(root):
        if root in known:
            return known[root]
        options = [
            "-DGBAN_CUDA=1",
            "-DGBAN_TENSORRT=1",
            f"-DTENSORRT_ROOT={root}",
            f"-DCMAKE_CUDA_COMPILER={NVCC}",
            f"-DGBAN_CUDA_ARCHITECTURES={architectures}",
        ]
        done = configure(build, *options)
        assert done.returncode == 0, said(done)
        command = [tool("cmake"), "--build", build, "--parallel", "2"]
        # The test for a GPU too: it must compile here.
        targets = ["--target", "gban_edge_tensorrt", "tensorrt_plugin_gpu_test"]
        done = subprocess.run([*command, *targets], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        # A copy a root: the next root's build replaces it.
        folder = kept / str(len(known))
        folder.mkdir()
        known[root] = Path(shutil.copy(build / "libgban_edge_tensorrt.so", folder))
        return known[root]

    return library


each_root = pytest.mark.parametrize("root", ROOTS or [None], ids=lambda root: root and root.name)


def version_of(root):
    folder = root / "include" if (root / "include").exists() else root
    text = (folder / "NvInferVersion.h").read_text()
    parts = [
        re.search(rf"define (?:NV_TENSORRT_{part}|TRT_{part}_ENTERPRISE) +(\d+)", text)[1]
        for part in ("MAJOR", "MINOR", "PATCH")
    ]
    return tuple(int(part) for part in parts)


def symbols(library, which):
    out = subprocess.run(
        ["nm", "-D", which, library], capture_output=True, text=True, check=True
    ).stdout
    return [line.split()[-2:] for line in out.splitlines()]


@pytest.mark.full
@each_root
def test_the_library_exports_two_functions_and_needs_only_the_system(built, root):
    library = built(root)
    assert symbols(library, "--defined-only") == [["T", "getCreators"], ["T", "setLoggerFinder"]]
    foreign = [
        name
        for kind, name in symbols(library, "--undefined-only")
        if kind == "U" and not re.search(r"@(GLIBC|GLIBCXX|CXXABI|GCC)_[\d.]+$", name)
    ]
    assert foreign == []
    dynamic = subprocess.run(["readelf", "-d", library], capture_output=True, text=True).stdout
    needed = set(re.findall(r"NEEDED.*\[([a-z_+-]+)", dynamic))
    system = {"libstdc++", "libm", "libgcc_s", "libc", "libdl", "libpthread", "librt", "ld-linux-x"}
    assert needed <= system | {"ld-linux-aarch"}
    version = ".".join(str(part) for part in version_of(root))
    text = f"gban_edge_tensorrt {gban_edge.__version__} NvInfer {version}\0"
    assert text.encode() in library.read_bytes()


def kernels_for(library):
    """The architectures of the cubins in a file, as cuobjdump --list-elf would say (it is no part
    of a bare toolkit): every fatbin is a magic number, its header's and its own size, then entries
    that begin with kind (2 is a cubin), header size, size and, at byte 28, the architecture."""
    data, found = library.read_bytes(), set()
    for match in re.finditer(re.escape(struct.pack("<I", 0xBA55ED50)), data):
        header, size = struct.unpack_from("<HQ", data, match.start() + 6)
        at = match.start() + header
        end = at + size
        while at < end:
            kind, _, header, size = struct.unpack_from("<HHIQ", data, at)
            assert kind == 2, "PTX was not asked for"
            found.add(struct.unpack_from("<I", data, at + 28)[0])
            at += header + size
    return found


@pytest.mark.full
@each_root
def test_the_library_has_kernels_for_every_board(built, root):
    assert kernels_for(built(root)) == {int(arch) for arch in ARCHITECTURES}


# Loads libnvinfer as `import tensorrt` does, then the library, and says who is registered.
LOADING = """
import _ctypes, ctypes, sys
nvinfer = ctypes.CDLL(sys.argv[2]) if len(sys.argv) > 2 else None
plugins = ctypes.CDLL(sys.argv[1])
registered = lambda: nvinfer.registered_now() if nvinfer else 0
print("loaded", registered())
if nvinfer:
    print("taken", nvinfer.load_library(sys.argv[1].encode()), registered())
else:
    count = ctypes.c_int32(-1)
    plugins.getCreators.restype = ctypes.c_void_p
    plugins.getCreators(ctypes.byref(count))
    print("creators", count.value)
"""
UNLOADING = """
import _ctypes, ctypes, sys
nvinfer = ctypes.CDLL(sys.argv[2])
plugins = ctypes.CDLL(sys.argv[1])
before = nvinfer.registered_now()
_ctypes.dlclose(plugins._handle)
print(before, nvinfer.registered_now())
"""


def load(script, *libraries):
    return subprocess.run(
        [sys.executable, "-c", script, *libraries], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def nvinfer(tmp_path_factory):
    """Makes a library that is libnvinfer as far as the plugins look, claiming a version."""
    folder = tmp_path_factory.mktemp("nvinfer")

    def make(root, version):
        soname = f"libnvinfer.so.{version_of(root)[0]}"
        path = folder / str(len(list(folder.iterdir()))) / soname
        path.parent.mkdir()
        tests = ROOT / "csrc" / "tests"
        command = [NVCC, "-std=c++17", "-shared", "-Xcompiler=-fPIC", f"-Xlinker=-soname={soname}"]
        command += [f"-DGBAN_NVINFER_VERSION={version}", "-isystem", root / "include", "-isystem"]
        command += [root, "-cudart=none", "-o", path]
        subprocess.run(
            [*command, tests / "tensorrt_nvinfer.cpp", tests / "tensorrt_fakes.cpp"], check=True
        )
        return path

    return make


@pytest.mark.full
@each_root
def test_it_joins_the_libnvinfer_that_is_loaded(built, nvinfer, root):
    major, minor, patch = version_of(root)
    own = nvinfer(root, 10000 * major + 100 * minor + patch)
    done = load(LOADING, built(root), own)
    assert done.stdout.split("\n")[:2] == ["loaded 2", "taken 2 2"], done.stdout + done.stderr
    assert done.returncode == 0
    done = load(UNLOADING, built(root), own)
    assert (done.returncode, done.stdout) == (0, "2 0\n"), done.stderr


@pytest.mark.full
@each_root
def test_it_registers_nothing_with_another_major_version(built, nvinfer, root):
    done = load(LOADING, built(root), nvinfer(root, 120000))
    assert done.stdout.split("\n")[:2] == ["loaded 0", "taken 0 0"]
    major = version_of(root)[0]
    assert (
        f"compiled with the headers of TensorRT {major}, but libnvinfer here says version 120000"
        in done.stderr
    )


@pytest.mark.full
@each_root
def test_it_loads_where_there_is_no_tensorrt(built, root):
    done = load(LOADING, built(root))
    assert (done.returncode, done.stdout) == (0, "loaded 0\ncreators 2\n"), done.stderr
