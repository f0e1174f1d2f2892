"""Operations on images and boxes, such as `px.vision.nms` and `px.vision.roi_align`; and simple pictures of results, as
tensors uint8[height, width, 3] for `px.io.save_png` and, in notebooks, for `show`.

px.io.save_png(px.vision.draw_predictions(images, labels, px.predict(net, images)), "digits.png")
"""

from __future__ import annotations

from ._homes import fill as _fill
from ._pictures import Picture as Picture
from ._pictures import beside as beside
from ._pictures import draw_confusion as draw_confusion
from ._pictures import draw_images as draw_images
from ._pictures import draw_predictions as draw_predictions
from ._pictures import show as show

_fill(globals(), "vision")
