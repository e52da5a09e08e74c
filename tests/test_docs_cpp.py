"""The programs of docs/cpp.md and README's lines of C++, built on the installed package and run."""

import re
import subprocess

import pytest
from doc_blocks import blocks_of
from helpers import ROOT, SMALL
from installed_package import cmake, ninja
from runtime_models import make_model

# README's lines as a program: what stands before them in a reader's own.
FRAGMENT = """
#include <cstdint>
#include <cstdio>
#include <vector>
{include}
int main() {{
  const std::vector<float> sound(16000, 0.1f);
  const float* pcm = sound.data();
  const auto samples = static_cast<std::int64_t>(sound.size());
{body}
  std::printf("%s\\n", result.label.c_str());
}}
"""
# A microphone that docs/cpp.md's Listener listens to.
MICROPHONE = """
#include <cstdio>
#include <vector>
int main() {
  const gban::Recognizer recognizer = gban::Recognizer::load("model.safetensors");
  Listener listener(recognizer);
  const std::vector<std::int16_t> block(320, 1000);
  for (int i = 0; i < 100; ++i) listener.block(block.data(), 320);
  std::printf("%s\\n", listener.end("that is incredible").label.c_str());
}
"""


def texts(page, language):
    return [block.text for block in blocks_of(page) if block.language == language]


def programs():
    """The text of every program by its file's name."""
    whole = [text + ("" if "int main" in text else MICROPHONE)
             for text in texts(ROOT / "docs" / "cpp.md", "cpp")]  # fmt: skip
    (lines,) = texts(ROOT / "README.md", "cpp")
    include, body = lines.split("\n\n", 1)
    whole.append(FRAGMENT.format(include=include, body=body))
    (c,) = texts(ROOT / "docs" / "cpp.md", "c")
    return {f"program{i}.cpp": text for i, text in enumerate(whole)} | {"program.c": c}


@pytest.fixture(scope="module")
def built(prefix, tmp_path_factory):
    """A project as docs/cpp.md has it, with all programs; robot.cpp is the first of them."""
    folder = tmp_path_factory.mktemp("project")
    make_model(folder / "model.safetensors", SMALL)
    (project,) = texts(ROOT / "docs" / "cpp.md", "cmake")
    lines = [project, "enable_language(C)"]
    for name, text in programs().items():
        (folder / name).write_text(text)
        target = name.replace(".", "_")
        lines += [f"add_executable({target} {name})",
                  f"target_link_libraries({target} PRIVATE gban_edge::gban_edge)",
                  f"set_target_properties({target} PROPERTIES LINKER_LANGUAGE CXX)"]  # fmt: skip
    (folder / "robot.cpp").write_text((folder / "program0.cpp").read_text())
    (folder / "CMakeLists.txt").write_text("\n".join(lines))
    strict = "-Wall -Wextra -Werror"
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_FLAGS={strict}"]
    options.append(f"-DCMAKE_C_FLAGS={strict}")
    cmake("-S", folder, "-B", folder / "build", *ninja(), *options)
    cmake("--build", folder / "build", "--parallel", "2")
    return folder


@pytest.mark.parametrize("name", [*programs(), "robot"])
def test_it_runs_and_answers(built, name):
    program = built / "build" / name.replace(".", "_")
    done = subprocess.run([program], cwd=built, capture_output=True, text=True)
    assert done.returncode == 0
    assert not done.stderr
    assert re.match(r"(ang|hap|neu|sad)|cpu int8", done.stdout)


def test_readmes_project_is_that_of_the_page():
    (short,) = texts(ROOT / "README.md", "cmake")
    (project,) = texts(ROOT / "docs" / "cpp.md", "cmake")
    assert set(short.splitlines()) <= set(project.splitlines())
