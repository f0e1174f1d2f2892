"""Everything public has documentation, and the examples in it are right."""

import importlib
import inspect
import pkgutil
import re

import pytest

import phlox as px
from phlox import nn, optim

MODULES = [px] + [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(px.__path__, "phlox.")
    if not any(part.startswith("_") for part in module.name.split("."))
]


def written(thing):
    """The documentation that somebody wrote; nanobind adds signatures to it."""
    if isinstance(thing, property):
        return written(thing.fget) or thing.__doc__ or ""
    if hasattr(thing, "__nb_signature__"):
        return "".join(text or "" for _, text, _ in thing.__nb_signature__)
    return getattr(thing, "__doc__", None) or ""


def is_ours(thing):
    home = getattr(thing, "__module__", None) or type(thing).__module__
    return callable(thing) and home.split(".")[0] in ("phlox", "nanobind")


def public_things():
    for module in MODULES:
        names = getattr(module, "__all__", None) or [
            name for name in vars(module) if not name.startswith("_")
        ]
        for name in names:
            thing = getattr(module, name)
            if is_ours(thing) and not inspect.ismodule(thing):
                yield f"{module.__name__}.{name}", thing


def test_everything_public_is_documented():
    found = dict(public_things())
    assert len(found) > 700 and {"phlox.nn.Linear", "phlox.nn.init.zeros_", "phlox.metrics.accuracy"} <= set(
        found
    )
    missing = {module.__name__ for module in MODULES if not (module.__doc__ or "").strip()}
    for name, thing in found.items():
        if not written(thing).strip():
            missing.add(name)
        if not inspect.isclass(thing) or issubclass(thing, BaseException):
            continue
        for member, value in vars(thing).items():
            described = callable(value) or isinstance(value, (property, classmethod, staticmethod))
            if described and not member.startswith("_") and not written(value).strip():
                missing.add(f"{name}.{member}")
    assert not missing


def classes_of(module, base):
    return [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, base)]


LAYERS = classes_of(nn, nn.Module)


@pytest.mark.parametrize(
    "cls",
    LAYERS + classes_of(optim, optim.Optimizer)[:-1] + classes_of(optim.lr_scheduler, object),
    ids=lambda cls: cls.__name__,
)
def test_classes_have_an_example(cls):
    if cls not in (optim.Optimizer, optim.lr_scheduler.LRScheduler):
        assert "Example:\n    " in cls.__doc__


def test_shapes_in_examples_are_right():
    checked = 0
    for cls in LAYERS:
        for code, shape in re.findall(r"^    (.*\.shape)  # (\[.*\])$", cls.__doc__, re.MULTILINE):
            names = {"px": px, "nn": nn}
            if "model" in code:
                names["model"] = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
            assert str(list(eval(code, names))) == shape, (cls.__name__, code)
            checked += 1
    assert checked > 60
