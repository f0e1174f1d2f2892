"""predict(), the progress bar and pictures of results."""

# shard: networks
import pytest

import phlox as px
from phlox import nn


def test_predict_runs_in_evaluation_mode_and_puts_modes_back():
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))
    net[0].eval()
    x = px.rand(7, 3)
    output = px.predict(net, x, batch_size=3)
    assert not output.requires_grad and px.allclose(output, net[0](x))
    assert net.training and net[1].training and not net[0].training
    with pytest.raises(px.errors.ValueError, match="batch_size is 0"):
        px.predict(net, x, batch_size=0)
    with pytest.raises(px.errors.ShapeError):
        px.predict(net, px.rand(7, 2))
    assert net.training

    class Total(nn.Module):
        def forward(self, x):
            return x.sum()

    with pytest.raises(px.errors.ShapeError, match="predict: the module gives one number"):
        px.predict(Total(), x)


def test_a_loop_that_is_left_early_ends_the_line(capfd):
    for step in (bar := px.progress(3, label="step")):
        bar.set("loss", 0.5)
        if step == 1:
            break
    assert "step 1/3" in capfd.readouterr().err


def test_predictions_are_drawn(tmp_path):
    images, labels = px.rand(8, 1, 8, 8), px.arange(8) % 3
    scores = nn.functional.one_hot(labels, 3).float()
    picture = px.vision.draw_predictions(images, labels, scores, hardest=4)
    assert picture.dtype == px.uint8 and picture.shape[2] == 3
    parts = [
        px.vision.draw_confusion(px.eye(3, dtype=px.int64)),
        px.vision.draw_images(images[:2], ["a", "b"]),
    ]
    assert px.vision.beside(parts).shape[1] == sum(part.shape[1] for part in parts)
    px.io.save_png(picture, tmp_path / "picture.png")
    written = (tmp_path / "picture.png").read_bytes()
    assert written.startswith(b"\x89PNG") and px.vision.show(picture)._repr_png_() == written
    with pytest.raises(px.errors.ShapeError, match="draw_predictions"):
        px.vision.draw_predictions(images, labels[:7], scores)
