"""The example programs, in both languages: they learn, save, agree, and end in order on Ctrl-C."""

# shard: networks
import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import phlox as px

BUILD = Path(px.__file__).parents[2]
EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {"python": [sys.executable, EXAMPLES / "digits.py"], "c++": [BUILD / "examples" / "digits"]}
VARIABLES = {**os.environ, "PYTHONPATH": str(BUILD / "python"), "PHLOX_NUM_THREADS": "1"}


def listen_to_ctrl_c():
    """What a shell starts in the background ignores Ctrl-C, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(language, folder, *options):
    command = [str(word) for word in (*PROGRAMS[language], *options)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=VARIABLES,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=listen_to_ctrl_c,
    )


def run(language, folder, *options):
    program = start(language, folder, *options)
    out, err = program.communicate(timeout=600)
    assert program.returncode == 0, err
    return out, err


def write_idx(path, array):
    path.write_bytes(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


@pytest.fixture
def stripes(tmp_path):
    """A folder in the format of MNIST: images of 12 x 12 whose bright row tells the class."""
    folder = tmp_path / "idx"
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, count in (("train", 200), ("t10k", 40)):
        labels = random.integers(0, 10, count, dtype=np.uint8)
        images = random.integers(0, 50, (count, 12, 12), dtype=np.uint8)
        images[np.arange(count), labels + 1] = 255
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)
    return folder


@pytest.mark.slow
def test_the_mean_accuracy_of_five_seeds(tmp_path):
    def accuracy(seed):
        _, bar = run("c++", tmp_path, "--seed", seed)
        return float(bar.split()[-1])

    assert sum(accuracy(seed) for seed in range(5)) / 5 >= 0.985


@pytest.mark.parametrize("language", PROGRAMS)
def test_programs_are_short(language):
    source = EXAMPLES / f"digits.{'py' if language == 'python' else 'cc'}"
    assert len(source.read_text().splitlines()) < 60


@pytest.mark.parametrize("language", PROGRAMS)
def test_programs_say_how_they_are_used(tmp_path, language):
    out, _ = run(language, tmp_path, "--help")
    assert "--predict FILE" in out and not list(tmp_path.iterdir())


def test_both_languages_learn_the_same_from_idx_files(tmp_path, stripes):
    read = {}
    for language in PROGRAMS:
        folder = tmp_path / language
        folder.mkdir()
        _, bar = run(language, folder, "--data", stripes)
        last = bar.strip().splitlines()[-1]
        assert re.search(r"epoch 30/30 .* [\d,]+ images/s, loss [\d.]+, accuracy [\d.]+", last), last
        assert (folder / "digits.png").read_bytes().startswith(b"\x89PNG")
        read[language], _ = run(language, folder, "--data", stripes, "--predict", "digits.safetensors")
    labels = px.io.load_idx(stripes / "t10k-labels-idx1-ubyte").tolist()
    right = sum(int(a) == b for a, b in zip(read["python"].split(), labels, strict=True))
    assert right >= 36  # of 40
    assert read["c++"] == read["python"]
    for name in ("digits.safetensors", "digits.png"):  # not only the same meaning: the same bits
        assert (tmp_path / "c++" / name).read_bytes() == (tmp_path / "python" / name).read_bytes()


@pytest.mark.parametrize("language", PROGRAMS)
def test_ctrl_c_saves_what_has_been_learnt(tmp_path, language):
    program = start(language, tmp_path)
    assert "epoch  2/30" in program.stderr.readline() + program.stderr.readline()
    program.send_signal(signal.SIGINT)
    _, bar = program.communicate(timeout=300)
    assert program.returncode == 0 and "epoch 30/30" not in bar, bar
    assert px.load(tmp_path / "digits.safetensors")["head.weight"].isfinite().all()
    read, _ = run(language, tmp_path, "--predict", "digits.safetensors")
    train, test = px.data.digits().split(0.8)
    right = sum(
        int(a) == px.data.digits()[i][1].item() for a, i in zip(read.split(), test.indices, strict=True)
    )
    assert right > 0.5 * len(test)


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_missing_file_is_named(tmp_path, language):
    program = start(language, tmp_path, "--predict", "nowhere.safetensors")
    _, err = program.communicate(timeout=300)
    assert program.returncode == 1 and "[E0801]" in err and "nowhere.safetensors" in err
