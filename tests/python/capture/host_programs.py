"""Functions and modules for test_syntax_host.py."""

import math

import phlox as px
from phlox import nn

FLAG = True
SCALE = 2.0
SETTINGS = {"rate": [0.1, 0.2]}
COUNT = 0


class Config:
    def __init__(self):
        self.rate = 3
        self.names = ["x"]


CONFIG = Config()


def reads():
    y = math.pi if FLAG else 0
    return y * SCALE * CONFIG.rate * SETTINGS["rate"][1], px.relu, len(CONFIG.names)


def reads_in_nested():
    return [CONFIG.rate * x for x in range(2)], (lambda: SCALE)()


def closure():
    n = 3

    def inner():
        return n + 1

    return inner


def writes(config, table, items):
    global COUNT
    COUNT = 1
    config.rate = 2
    config.rate += 1
    table["k"] = 1
    table["k"] += 1
    items.append(4)
    items += [5]
    del table["k"]
    del config.rate
    config.a, (table["b"], c) = 1, (2, 3)
    return c


def counter():
    n = 0

    def step():
        nonlocal n
        n += 1
        return n

    return step


def own_objects():
    config = Config()
    config.rate = 5
    config.names.append("y")
    table = {"a": []}
    table["a"].append(1)
    items = [i * 1 for i in range(3)]
    items.append(sorted([2, 1]))
    made = list(range(1, 3))
    made.extend(items)
    return config.rate, made, table, config.names


class Scaled(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter(px.ones(2))

    def forward(self, x, n):
        if n > 0:
            n = n + self.scale
        if self.training:
            n = n * 2
        return n


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Scaled(3)
        self.activation = nn.ReLU()

    def forward(self, x, n):
        self.activation(x)
        return self.part(x, n=n)


class Leaf(nn.Module):
    def forward(self, x):
        if BOX > 0:
            return x + 1
        return x


BOX = 1


def fails(x):
    doubled = x * 2
    if FLAG:
        for _ in range(2):
            doubled = px.relu(doubled @ (x + 1))
    return doubled
