import numpy as np

from projects.gella.colormap import label_map, location_colors, paint, random_colors


def test_random_colours_follow_the_generator_and_keep_apart():
    first = random_colors(14, np.random.default_rng(3))
    again = random_colors(14, np.random.default_rng(3))
    assert (first == again).all()
    everything = np.concatenate([np.zeros((1, 3), int), first.astype(int)])
    distances = np.abs(everything[:, None] - everything[None]).sum(-1)
    assert distances[~np.eye(15, dtype=bool)].min() > 60


def test_earlier_masks_are_on_top():
    masks = np.zeros((2, 2, 3), bool)
    masks[0, :, :2] = True
    masks[1, :, 1:] = True
    assert label_map(masks).tolist() == [[1, 1, 2], [1, 1, 2]]


def test_location_colours_depend_on_the_centre_alone():
    labels = np.zeros((16, 16), int)
    labels[2:4, 2:4] = 1
    labels[12:14, 12:14] = 2
    colors = location_colors(labels, 3)
    swapped = location_colors(np.where(labels == 1, 2, np.where(labels == 2, 1, 0)), 3)
    assert (colors[[1, 0]] == swapped[:2]).all() and (colors[0] != colors[1]).any()
    assert colors[2].tolist() == [255, 255, 255]


def test_background_is_black():
    picture = paint(np.array([[0, 1]]), np.array([[9, 8, 7]], np.uint8))
    assert picture.tolist() == [[[0, 0, 0], [9, 8, 7]]]
