# shard: networks
"""Operations on images and boxes, against formulas written out with NumPy and SciPy."""

import colorsys

import numpy as np
import phlox.nn.functional as F  # noqa: N812
import pytest
import scipy.ndimage
import scipy.signal

import phlox as px
from phlox import vision


def randoms(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def bilinear(image, y, x):
    """One channel-first image at a position, as roi_align and deform_conv2d read it: 0 beyond one element outside."""
    _, height, width = image.shape
    if y <= -1 or y >= height or x <= -1 or x >= width:
        return np.zeros(len(image))
    total = np.zeros(len(image))
    for i in (int(np.floor(y)), int(np.floor(y)) + 1):
        for j in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= i < height and 0 <= j < width:
                total += image[:, i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return total


def clipped(image, y, x):
    _, height, width = image.shape
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(len(image))
    return bilinear(image, np.clip(y, 0, height - 1), np.clip(x, 0, width - 1))


def roi_align(images, boxes, bins, scale, ratio, aligned):
    result = np.zeros((len(boxes), images.shape[1], *bins))
    for n, (image, *corners) in enumerate(boxes):
        x1, y1, x2, y2 = (c * scale - 0.5 * aligned for c in corners)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1), max(height, 1)
        bin_height, bin_width = height / bins[0], width / bins[1]
        rows = ratio if ratio > 0 else int(np.ceil(bin_height))
        columns = ratio if ratio > 0 else int(np.ceil(bin_width))
        for i in range(bins[0]):
            for j in range(bins[1]):
                points = [
                    clipped(
                        images[int(image)],
                        y1 + (i + (a + 0.5) / rows) * bin_height,
                        x1 + (j + (b + 0.5) / columns) * bin_width,
                    )
                    for a in range(rows)
                    for b in range(columns)
                ]
                result[n, :, i, j] = np.mean(points, axis=0)
    return result


BOXES = np.array([[0, 0.5, 1, 6.2, 5], [1, 1, 0, 3, 2.5], [0, -2, -1.5, 3, 9], [1, 4, 4, 4.2, 4.1]])


@pytest.mark.parametrize("ratio", [2, -1])
@pytest.mark.parametrize("aligned", [True, False])
def test_roi_align(ratio, aligned):
    images = randoms(2, 3, 6, 7)
    want = roi_align(images, BOXES, (2, 3), 0.8, ratio, aligned)
    got = vision.roi_align(px.from_numpy(images), px.from_numpy(BOXES), (2, 3), 0.8, ratio, aligned)
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
    lists = [px.from_numpy(BOXES[BOXES[:, 0] == i, 1:]) for i in (0, 1)]
    order = np.argsort(BOXES[:, 0], kind="stable")
    got = vision.roi_align(px.from_numpy(images), lists, (2, 3), 0.8, ratio, aligned)
    np.testing.assert_allclose(got.numpy(), want[order], atol=1e-12)


def test_position_sensitive_roi_align():
    images, boxes = randoms(2, 12, 6, 7), BOXES[:2]
    all_channels = roi_align(images, boxes, (2, 3), 1.0, 2, True)
    got = vision.ps_roi_align(px.from_numpy(images), px.from_numpy(boxes), (2, 3), 1.0, 2).numpy()
    for c in range(2):
        for i in range(2):
            for j in range(3):
                np.testing.assert_allclose(
                    got[:, c, i, j], all_channels[:, c * 6 + i * 3 + j, i, j], atol=1e-12
                )


def whole_bin(start, length, bin, bins, limit):
    low = int(np.clip(np.floor(bin * length / bins) + start, 0, limit))
    return slice(low, max(low, int(np.clip(np.ceil((bin + 1) * length / bins) + start, 0, limit))))


def test_roi_pools():
    images = randoms(2, 12, 6, 7)
    largest = vision.roi_pool(px.from_numpy(images), px.from_numpy(BOXES), (2, 3), 0.8).numpy()
    means = vision.ps_roi_pool(px.from_numpy(images), px.from_numpy(BOXES), (2, 3), 0.8).numpy()
    for n, (image, *corners) in enumerate(BOXES):
        x1, y1, x2, y2 = np.floor(np.array(corners) * 0.8 + 0.5)
        for i in range(2):
            for j in range(3):
                rows = whole_bin(y1, max(y2 - y1 + 1, 1), i, 2, 6)
                columns = whole_bin(x1, max(x2 - x1 + 1, 1), j, 3, 7)
                region = images[int(image), :, rows, columns].reshape(12, -1)
                want = region.max(1) if region.size else np.zeros(12)
                np.testing.assert_allclose(largest[n, :, i, j], want)
                rows = whole_bin(y1, max(y2 - y1, 1), i, 2, 5)
                columns = whole_bin(x1, max(x2 - x1, 1), j, 3, 6)
                region = images[int(image), :, rows, columns].reshape(2, 6, -1)[:, i * 3 + j]
                want = region.mean(1) if region.size else np.zeros(2)
                np.testing.assert_allclose(means[n, :, i, j], want, atol=1e-12)


def test_crop_and_resize():
    image = np.arange(12.0).reshape(1, 1, 3, 4)
    whole = vision.crop_and_resize(px.from_numpy(image), px.tensor([[0.0, 0, 1, 1]]), px.tensor([0]), (3, 4))
    np.testing.assert_allclose(whole.numpy(), image, atol=1e-5)
    flipped = vision.crop_and_resize(
        px.from_numpy(image), px.tensor([[1.0, 0, 0, 1]]), px.tensor([0]), (2, 4)
    )
    np.testing.assert_allclose(flipped[0, 0].numpy(), image[0, 0, ::-2], atol=1e-5)
    outside = vision.crop_and_resize(
        px.from_numpy(image), px.tensor([[-0.5, 0, 0.5, 0]]), px.tensor([0]), (3, 1), "nearest", 9.0
    )
    assert outside.ravel().tolist() == [9, 0, 4]


@pytest.mark.parametrize("groups,offset_groups", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("masked", [True, False])
def test_deform_conv2d(groups, offset_groups, masked):
    image, weight = randoms(2, 4, 5, 6), randoms(6, 4 // groups, 2, 3, seed=1)
    stride, padding, dilation = (2, 1), (1, 0), (1, 2)
    rows, columns = 3, 2
    offset = randoms(2, offset_groups * 12, rows, columns, seed=2)
    mask = randoms(2, offset_groups * 6, rows, columns, seed=3) if masked else None
    bias = randoms(6, seed=4)
    want = np.zeros((2, 6, rows, columns)) + bias[:, None, None]
    for b in range(2):
        for r in range(rows):
            for c in range(columns):
                taps = np.zeros((4, 2, 3))
                for i in range(2):
                    for j in range(3):
                        for g in range(offset_groups):
                            place = (g * 2 + i) * 3 + j
                            y = r * 2 - 1 + i + offset[b, 2 * place, r, c]
                            x = c + j * 2 + offset[b, 2 * place + 1, r, c]
                            some = slice(g * 4 // offset_groups, (g + 1) * 4 // offset_groups)
                            taps[some, i, j] = bilinear(image[b, some], y, x)
                            if masked:
                                taps[some, i, j] *= mask[b, place, r, c]
                for o in range(6):
                    g = o * groups // 6
                    want[b, o, r, c] += (weight[o] * taps[g * 4 // groups : (g + 1) * 4 // groups]).sum()
    got = vision.deform_conv2d(
        *map(px.from_numpy, (image, offset, weight, bias)), stride, padding, dilation,
        None if mask is None else px.from_numpy(mask),
    )  # fmt: skip
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
    still = vision.deform_conv2d(px.from_numpy(image), px.zeros_like(px.from_numpy(offset)), px.from_numpy(weight),
                                 None, stride, padding, dilation)  # fmt: skip
    plain = F.conv2d(px.from_numpy(image), px.from_numpy(weight), None, stride, padding, dilation, groups)
    np.testing.assert_allclose(still.numpy(), plain.numpy(), atol=1e-12)


def test_boxes():
    corners = px.tensor([[1.0, 2, 4, 8], [0, 0, 2, 4]])
    for form in ("xywh", "cxcywh"):
        there = vision.box_convert(corners, "xyxy", form)
        assert vision.box_convert(there, form, "xyxy").tolist() == corners.tolist()
    assert vision.box_convert(corners, "xyxy", "cxcywh").tolist() == [[2.5, 5, 3, 6], [1, 2, 2, 4]]
    assert vision.box_area(corners).tolist() == [18, 8]
    first, second = px.tensor([[0.0, 0, 2, 2]]), px.tensor([[1.0, 1, 3, 3], [4, 4, 5, 5]])
    np.testing.assert_allclose(vision.box_iou(first, second).numpy(), [[1 / 7, 0]], rtol=1e-6)
    want = [[1 / 7 - 2 / 9, -20 / 25]]
    np.testing.assert_allclose(vision.generalized_box_iou(first, second).numpy(), want, rtol=1e-6)
    with pytest.raises(ValueError, match="no form 'xxyy'"):
        vision.box_convert(corners, "xxyy", "xyxy")


def test_non_maximum_suppression():
    random = np.random.default_rng(1)
    low = random.random((60, 2)) * 10
    boxes = np.concatenate([low, low + random.random((60, 2)) * 6], 1)
    scores, groups = random.random(60), random.integers(0, 3, 60)
    overlaps = vision.box_iou(px.from_numpy(boxes), px.from_numpy(boxes)).numpy()

    def keep(allowed):
        kept = []
        for i in np.argsort(-scores):
            if allowed(i) and not any(overlaps[i, j] > 0.3 and groups[i] in same for j, same in kept):
                kept.append((i, {groups[i]} if by_group else {0, 1, 2}))
        return [int(i) for i, _ in kept]

    by_group = False
    plain = vision.nms(px.from_numpy(boxes), px.from_numpy(scores), 0.3)
    assert plain.tolist() == keep(lambda _: True)
    by_group = True
    grouped = vision.batched_nms(px.from_numpy(boxes), px.from_numpy(scores), px.from_numpy(groups), 0.3)
    assert grouped.tolist() == keep(lambda _: True)
    assert vision.nms(px.empty(0, 4), px.empty(0), 0.5).shape == (0,)


def test_colours():
    colours = np.random.default_rng(2).random((50, 3))
    colours[:5] = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 0, 1]]
    want = np.array([colorsys.rgb_to_hsv(*c) for c in colours])
    hsv = vision.rgb_to_hsv(px.from_numpy(colours), dim=-1)
    np.testing.assert_allclose(hsv.numpy(), want, atol=1e-12)
    np.testing.assert_allclose(vision.hsv_to_rgb(hsv, dim=-1).numpy(), colours, atol=1e-12)
    images = px.from_numpy(colours[:48].reshape(4, 3, 4, 3))
    assert vision.rgb_to_hsv(images).shape == (4, 3, 4, 3) and vision.rgb_to_grayscale(images).shape == (
        4,
        1,
        4,
        3,
    )
    with pytest.raises(px.ShapeError, match="three colours"):
        vision.rgb_to_hsv(px.zeros(2, 4, 4))


def test_filters():
    image = randoms(2, 9, 8)
    bell = np.exp(-0.5 * (np.arange(5) - 2) ** 2 / 1.5**2)
    narrow = np.exp(-0.5 * (np.arange(3) - 1) ** 2 / 0.8**2)
    kernel = np.outer(narrow / narrow.sum(), bell / bell.sum())
    want = [scipy.ndimage.correlate(i, kernel, mode="mirror") for i in image]
    got = vision.gaussian_blur(px.from_numpy(image), (5, 3), [1.5, 0.8])
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)
    edges = vision.sobel_edges(px.from_numpy(image)).numpy()
    for axis in (0, 1):
        want = [scipy.ndimage.sobel(i, axis, mode="mirror") for i in image]
        np.testing.assert_allclose(edges[..., axis], want, atol=1e-12)


def test_differences_of_images():
    first, second = randoms(2, 3, 16, 15), randoms(2, 3, 16, 15, seed=1)
    bell = np.exp(-0.5 * (np.arange(11) - 5) ** 2 / 1.5**2)
    kernel = np.outer(bell, bell) / bell.sum() ** 2

    def local(x):
        return np.array([[scipy.signal.correlate2d(c, kernel, "valid") for c in i] for i in x])

    a, b = local(first), local(second)
    luminance = (2 * a * b + 0.01**2) / (a**2 + b**2 + 0.01**2)
    structure = (2 * (local(first * second) - a * b) + 0.03**2) / (
        local(first**2) - a**2 + local(second**2) - b**2 + 0.03**2
    )
    x, y = px.from_numpy(first), px.from_numpy(second)
    np.testing.assert_allclose(vision.ssim(x, y).numpy(), (luminance * structure).mean((1, 2, 3)), rtol=1e-9)
    assert vision.ssim(x, x).tolist() == pytest.approx([1, 1])
    assert vision.ssim(x, y, return_index_map=True).shape == (2, 6, 5)
    assert vision.psnr(px.ones(1, 2, 2), px.zeros(1, 2, 2), 10.0).item() == pytest.approx(20)
    assert vision.psnr(px.ones(1, 2, 2), px.ones(1, 2, 2)).item() == np.inf


def test_patches():
    image = np.arange(2 * 5 * 6).reshape(1, 2, 5, 6)
    patches = vision.extract_patches(px.from_numpy(image), (2, 3)).numpy()
    assert patches.shape == (1, 12, 2, 2)
    want = image[0, :, 2:4, 3:6].transpose(1, 2, 0).ravel()
    np.testing.assert_array_equal(patches[0, :, 1, 1], want)
    same = vision.extract_patches(px.from_numpy(image), 3, 2, padding="same")
    assert same.shape == (1, 18, 3, 3)
    with pytest.raises(px.ShapeError, match="reaches over 9 positions of 5"):
        vision.extract_patches(px.from_numpy(image), 9)


@pytest.mark.parametrize("mode,theirs", [
    ("constant", "constant"), ("nearest", "nearest"), ("reflect", "reflect"), ("mirror", "mirror"), ("wrap", "grid-wrap"),
])  # fmt: skip
@pytest.mark.parametrize("order", [0, 1])
def test_map_coordinates(mode, theirs, order):
    image, places = randoms(4, 5), np.random.default_rng(1).uniform(-9, 12, (2, 3, 7))
    got = vision.map_coordinates(px.from_numpy(image), px.from_numpy(places), order, mode, 0.5)
    # SciPy's "constant" does not interpolate with what is outside; "grid-constant" does.
    theirs = "grid-constant" if theirs == "constant" else theirs
    want = scipy.ndimage.map_coordinates(image, places, order=order, mode=theirs, cval=0.5)
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


def test_transforms_of_images():
    image = px.from_numpy(randoms(2, 3, 5, 6))
    same = px.tensor([1.0, 0, 0, 0, 1, 0, 0, 0], dtype=px.float64)
    np.testing.assert_allclose(vision.affine_transform(image, same).numpy(), image.numpy())
    moved = vision.affine_transform(
        image, px.tensor([1.0, 0, 2, 0, 1, 1, 0, 0], dtype=px.float64), fill_value=7.0
    )
    np.testing.assert_allclose(moved[:, :, :4, :4].numpy(), image[:, :, 1:, 2:].numpy())
    assert (moved[:, :, 4:] == 7).all() and (moved[:, :, :, 4:] == 7).all()
    # A perspective that turns the image by half a turn.
    corners = np.array([[0.0, 0], [5, 0], [0, 4], [5, 4]])
    turned = vision.perspective_transform(image, px.from_numpy(corners), px.from_numpy(corners[::-1].copy()))
    np.testing.assert_allclose(turned.numpy(), image.numpy()[:, :, ::-1, ::-1], atol=1e-9)
    # The corners of a quadrilateral that is not a parallelogram meet.
    end = np.array([[1.0, 1], [4, 0], [0, 3], [5, 4]])
    bent = vision.perspective_transform(image, px.from_numpy(corners), px.from_numpy(end))
    for (x, y), (i, j) in zip(end.astype(int), corners.astype(int), strict=True):
        np.testing.assert_allclose(bent[..., y, x].numpy(), image[..., j, i].numpy(), atol=1e-9)


@pytest.mark.parametrize(
    "interpolation", ["bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]
)
@pytest.mark.parametrize("antialias", [True, False])
def test_resize_image(interpolation, antialias):
    kernels = {
        "bilinear": (1, lambda x: 1 - x),
        "bicubic": (
            2,
            lambda x: np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2),
        ),
        "lanczos3": (3, lambda x: np.sinc(x) * np.sinc(x / 3)),
        "lanczos5": (5, lambda x: np.sinc(x) * np.sinc(x / 5)),
        "gaussian": (1.5, lambda x: np.exp(-2 * x**2)),
        "mitchellcubic": (
            2,
            lambda x: (
                np.where(x < 1, 7 * x**3 - 12 * x**2 + 16 / 3, -7 / 3 * x**3 + 12 * x**2 - 20 * x + 32 / 3)
                / 6
            ),
        ),
    }
    reach, kernel = kernels[interpolation]

    def matrix(size, target):
        step = size / target
        scale = max(step, 1) if antialias else 1
        distance = np.abs(np.arange(size) - ((np.arange(target)[:, None] + 0.5) * step - 0.5)) / scale
        weights = np.where(distance < reach, kernel(distance), 0)
        return weights / weights.sum(1, keepdims=True)

    image = randoms(2, 7, 9)
    want = matrix(7, 4) @ image @ matrix(9, 13).T
    got = vision.resize_image(px.from_numpy(image), (4, 13), interpolation, antialias)
    np.testing.assert_allclose(got.numpy(), want, atol=1e-12)


def test_resize_image_by_area_and_nearest():
    image = np.arange(24).reshape(4, 6)
    area = vision.resize_image(px.from_numpy(image.astype(np.float64)), (2, 3), "area").numpy()
    np.testing.assert_allclose(area, image.reshape(2, 2, 3, 2).mean((1, 3)))
    assert vision.resize_image(px.from_numpy(image), (2, 3), "nearest").tolist() == image[1::2, 1::2].tolist()
    pixels = px.tensor([[0, 255]], dtype=px.uint8)
    assert vision.resize_image(pixels, (1, 4), "bicubic").tolist() == [[0, 53, 202, 255]]
    with pytest.raises(ValueError, match="no interpolation 'cubic'"):
        vision.resize_image(pixels, 3, "cubic")


def test_gradients_of_positions():
    image, grid = randoms(1, 2, 4, 5), randoms(1, 3, 3, 2, seed=1) * 0.6
    x, g = (px.from_numpy(a).requires_grad_(True) for a in (image, grid))
    assert px.autograd.gradcheck(lambda x, g: F.grid_sample(x, g, align_corners=True), (x, g))
    offset = px.from_numpy(randoms(1, 8, 3, 4, seed=2)).requires_grad_(True)
    weight = px.from_numpy(randoms(2, 2, 2, 2, seed=3)).requires_grad_(True)
    assert px.autograd.gradcheck(vision.deform_conv2d, (x, offset, weight))
    boxes = px.from_numpy(BOXES[:1] * 0.6)
    assert px.autograd.gradcheck(lambda x: vision.roi_align(x, boxes, 2, 1.0, 2), (x,))
