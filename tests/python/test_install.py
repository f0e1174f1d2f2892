"""`cmake --install` must serve a program of someone else, with the shared and with the static library."""

# shard: foundation
import re
import subprocess
from pathlib import Path

import pytest

import phlox

BUILD = Path(phlox.__file__).parents[2]
CONSUMER = Path(__file__).parents[1] / "install"


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("install")
    run("cmake", "--install", BUILD, "--prefix", folder / "prefix")
    search = f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}"
    run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", folder / "consumer", search)
    run("cmake", "--build", folder / "consumer")
    return folder / "consumer"


@pytest.mark.parametrize("kind", ["phlox", "phlox_static"])
def test_installed_library_computes_and_has_its_operations(programs, kind):
    values, _, count = run(programs / f"with_{kind}").rpartition(" ")
    assert values.count("3") >= 2  # the root of 9, twice
    assert int(count) > 100


def test_an_extension_serves_a_program(programs):
    assert run(programs / "with_extension", programs / "softlog.so") == "softlog(3) = 1.94591\n"


def test_the_first_program_of_the_documentation(programs, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "from-cpp.md").read_text()
    for language, name in (("cpp", "line.cc"), ("cmake", "CMakeLists.txt")):
        (block,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
        (tmp_path / name).write_text(block)
    run(
        "cmake",
        "-G",
        "Ninja",
        "-S",
        tmp_path,
        "-B",
        tmp_path / "build",
        f"-DCMAKE_PREFIX_PATH={programs.parent / 'prefix'}",
    )
    run("cmake", "--build", tmp_path / "build")
    slope, offset = map(float, re.findall(r"-?\d+\.\d+", run(tmp_path / "build" / "line")))
    assert abs(slope - 3) < 0.05 and abs(offset + 1) < 0.05
