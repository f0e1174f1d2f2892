"""The stubs name everything that the library has, and type checkers accept an ordinary program."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import phlox as px

FOLDER = Path(px.__file__).parent

PROGRAMS = Path(__file__).parent / "typing"
SETTINGS = "[mypy]\nstrict = True\n[mypy-phlox.*]\nfollow_imports = silent\n"


def declared(body):
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname for alias in node.names if alias.asname)
        elif isinstance(node, ast.Assign):
            names.update(t.id for t in node.targets if isinstance(t, ast.Name))
    return names


def public(module):
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    return {name for name in names if name not in ("annotations", "TYPE_CHECKING")}


def test_complete():
    stubs = sorted(FOLDER.rglob("*.pyi"))
    assert {"__init__", "_phlox", "nn/__init__", "nn/functional", "nn/init", "io", "linalg"} <= {
        str(path.relative_to(FOLDER).with_suffix("")) for path in stubs
    }
    for path in stubs:
        name = ".".join(["phlox", *path.relative_to(FOLDER).with_suffix("").parts]).removesuffix(".__init__")
        found = declared(ast.parse(path.read_text()).body)
        assert not public(importlib.import_module(name)) - found, name
    tree = ast.parse((FOLDER / "__init__.pyi").read_text())
    tensor = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Tensor")
    missing = {name for name in vars(px.Tensor) if not name.startswith("_")} - declared(tensor.body)
    assert not missing
    assert (FOLDER / "py.typed").exists()


def test_members_of_classes_are_declared():
    tree = ast.parse((FOLDER / "_phlox.pyi").read_text())
    classes = {node.name: declared(node.body) for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {"Module", "Linear", "Conv2d", "AdamW", "StepLR"} <= set(classes)
    for name, members in classes.items():
        cls = getattr(px._phlox, name)
        if isinstance(cls, type) and not issubclass(cls, Exception):
            assert not {member for member in vars(cls) if not member.startswith("_")} - members, name
    assert {"weight", "bias", "forward", "__call__", "in_features"} <= classes["Linear"]


def mypy(folder, *arguments):
    (folder / "mypy.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "mypy", "--no-incremental", *arguments]
    environment = {"MYPYPATH": str(FOLDER.parent), "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


def test_strict_type_checker(tmp_path):
    program = PROGRAMS / "accepted.py"
    done = mypy(tmp_path, "--config-file=mypy.ini", program)
    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([sys.executable, program], check=True, capture_output=True)


def test_type_checker_finds_mistakes(tmp_path):
    program = PROGRAMS / "refused.py"
    output = mypy(tmp_path, "--config-file=mypy.ini", program).stdout
    found = {int(line.split(":")[1]) for line in output.split("\n") if ": error:" in line}
    tree = ast.parse(program.read_text())
    statements = {node.lineno for node in tree.body[1:] if not isinstance(node, (ast.Import, ast.ImportFrom))}
    assert len(statements) > 15 and found == statements, output


def test_the_package_agrees_with_its_stubs(tmp_path):
    done = mypy(tmp_path, "--config-file=", "--check-untyped-defs", "-p", "phlox")
    assert done.returncode == 0, done.stdout + done.stderr
