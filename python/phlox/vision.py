"""Simple pictures of results, as tensors uint8[height, width, 3] for `px.io.save_png`.

px.io.save_png(px.vision.draw_predictions(images, labels, px.predict(net, images)), "digits.png")
"""

from ._phlox import _vision

beside = _vision.beside
draw_confusion = _vision.draw_confusion
draw_images = _vision.draw_images
draw_predictions = _vision.draw_predictions
