"""Long runs come to use no more memory."""
# shard: networks

import gc

import pytest

import phlox as px
from phlox import nn


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def small_network() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


def grown(work, warm_up: int, calls: int) -> int:
    for _ in range(warm_up):
        work()
    gc.collect()
    before = resident_bytes()
    for _ in range(calls):
        work()
    gc.collect()
    return resident_bytes() - before


@pytest.mark.slow
def test_a_million_predictions():
    net, x = small_network().eval(), px.rand(1, 16)
    with px.no_grad():
        assert grown(lambda: net(x), 10_000, 1_000_000) < 1 << 20


@pytest.mark.slow
def test_a_thousand_networks_made_trained_and_dropped():
    x, y = px.rand(32, 16), px.randint(0, 4, (32,))

    def life():
        net = small_network()
        optimizer = px.optim.AdamW(net.parameters())
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    assert grown(life, 100, 1000) < 1 << 20
