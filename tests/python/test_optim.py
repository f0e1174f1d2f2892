"""Optimisers and schedules: groups, settings, state."""

import pytest

import phlox as px
from phlox import optim


def parameter(value=1.0):
    return px.tensor([value], requires_grad=True)


def step(optimizer, p):
    optimizer.zero_grad()
    (p * p).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad])
def test_each_goes_downhill(make):
    p = parameter()
    optimizer = make([p], lr=0.1)
    for _ in range(20):
        step(optimizer, p)
    assert abs(p.item()) < 0.9


def test_sgd_by_hand():
    p = parameter()
    optimizer = optim.SGD([p], 0.1, 0.5)
    step(optimizer, p)
    assert p.item() == pytest.approx(0.8)
    step(optimizer, p)
    assert p.item() == pytest.approx(0.8 - 0.1 * (0.5 * 2 + 1.6))


def test_groups_have_settings_of_their_own():
    a, b = parameter(), parameter()
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.0}], lr=0.1, momentum=0.9)
    (a * b).sum().backward()
    optimizer.step()
    assert a.item() == pytest.approx(0.9) and b.item() == 1
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.0]
    assert optimizer.param_groups[0]["params"][0] is a
    for group in optimizer.param_groups:
        group["lr"] = 0.5
        group["momentum"] = 0.1
    assert optimizer.param_groups[1]["lr"] == 0.5 and optimizer.param_groups[0]["momentum"] == 0.1
    optimizer.add_param_group({"params": [parameter()], "lr": 2.0})
    assert len(optimizer.param_groups) == 3 and optimizer.param_groups[2]["lr"] == 2


def test_state_continues_exactly():
    p, q = parameter(), parameter()
    first, second = optim.Adam([p], lr=0.1), optim.Adam([q], lr=0.3)
    for _ in range(3):
        step(first, p)
    with px.no_grad():
        q.copy_(p)
    second.load_state_dict(first.state_dict())
    step(first, p)
    step(second, q)
    assert p.item() == q.item() and second.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"learning_rate": 1.0}, {"lr": "fast"}])
def test_wrong_settings(wrong):
    with pytest.raises((px.errors.ValueError, px.errors.TypeError)):
        optim.SGD([parameter()], **wrong)


def test_wrong_parameters():
    with pytest.raises(px.errors.ValueError, match="no parameters"):
        optim.SGD([])
    with pytest.raises(px.errors.TypeError, match="not a tensor"):
        optim.SGD([3])


SCHEDULES = [
    (lambda o: optim.lr_scheduler.StepLR(o, 2, 0.5), [1, 1, 0.5, 0.5, 0.25]),
    (lambda o: optim.lr_scheduler.MultiStepLR(o, milestones=[1, 3]), [1, 0.1, 0.1, 0.01, 0.01]),
    (lambda o: optim.lr_scheduler.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
    (lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=4), [1, 0.853553, 0.5, 0.146447, 0]),
    (lambda o: optim.lr_scheduler.LinearLR(o, 0.5, total_iters=2), [0.5, 0.75, 1, 1, 1]),
    (lambda o: optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)), [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]),
]


@pytest.mark.parametrize("make, expected", SCHEDULES)
def test_schedules(make, expected):
    optimizer = optim.SGD([parameter()], lr=1.0)
    schedule = make(optimizer)
    rates = []
    for _ in expected:
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(expected, abs=1e-6)
    assert schedule.last_epoch == len(expected)


def test_schedules_after_one_another_and_plateau():
    optimizer = optim.SGD([parameter()], lr=1.0)
    rising = optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
    falling = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    both = optim.lr_scheduler.SequentialLR(optimizer, [rising, falling], [2])
    for _ in range(3):
        both.step()
    assert both.get_last_lr() == [0.5]
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    for loss in (px.tensor(1.0), 1.0):
        plateau.step(loss)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
