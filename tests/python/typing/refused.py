"""Mistakes: a type checker finds one in each statement. Never run."""

import phlox as px
from phlox import nn, optim

px.relu("a")
px.zeros(2).movedim()
px.no_such_operation(1)
nn.Linear(3)
nn.Linear("3", 2)
nn.Conv2d(1, 2, kernel=3)
optim.AdamW(nn.Linear(1, 1).parameters(), learning_rate=0.1)
optim.lr_scheduler.StepLR(0.1, step_size=2)
nn.Linear(1, 1)(px.ones(1), px.ones(1))
nn.MSELoss()(px.ones(1))
px.data.DataLoader([1], batch_sise=2)
nn.utils.clip_grad_norm_("w", 1.0)
px.metrics.accuracy(px.ones(1))
px.data.random_split([1, 2], [1, 1])[0].no_such()
nn.NoSuchLayer()
px.autograd.grad(px.ones(1))
px.no_grad("x")
px.save(px.ones(1), 3)
nn.Linear(1, 1).to(dtype="float32")
