"""Which tiles are visible, asked for, kept and thrown away, and where the photo is on the screen."""

from __future__ import annotations

import itertools

import pytest

from watcher.editor.window.canvas.tiles import TILE, Cache, Pyramid, Requests, Tile, View, touch

HUGE = Pyramid(12_000, 9_000)
"""108 megapixels."""


def test_one_tile_of_the_top_level_covers_the_whole_photo() -> None:
    for pyramid in (HUGE, Pyramid(512, 10), Pyramid(513, 10), Pyramid(1, 1)):
        tiles = pyramid.covering("photo", pyramid.top, (0, 0, pyramid.width, pyramid.height))
        assert [pyramid.box(tile) for tile in tiles] == [(0, 0, pyramid.width, pyramid.height)]
        assert max(pyramid.size(tiles[0])) <= TILE


@pytest.mark.parametrize("level", range(HUGE.top + 1))
def test_the_tiles_of_each_level_cover_each_pixel_once(level: int) -> None:
    tiles = HUGE.covering("photo", level, (0, 0, HUGE.width, HUGE.height))
    boxes = [HUGE.box(tile) for tile in tiles]
    assert sum((right - left) * (bottom - top) for left, top, right, bottom in boxes) == HUGE.width * HUGE.height
    assert all(max(HUGE.size(tile)) <= TILE for tile in tiles)


def test_tiles_near_the_centre_of_the_view_come_first() -> None:
    tiles = HUGE.covering("photo", 0, (4_000, 4_000, 7_000, 6_000))
    assert touch(HUGE.box(tiles[0]), (5_499, 4_999, 5_501, 5_001))
    assert not HUGE.covering("photo", 0, (-500, 0, 0, 100))


def test_a_screen_needs_few_tiles_at_every_zoom() -> None:
    for scale in (0.05, 0.1, 0.3, 0.36, 0.7, 1.0, 4.0, 32.0):
        view = View(scale, -3_000 * scale, -3_000 * scale)
        box = view.visible((1920, 1080))
        assert len(HUGE.covering("photo", HUGE.level(scale), box)) <= 30


def test_a_tile_is_drawn_at_about_its_own_size() -> None:
    assert [Pyramid(100_000, 100_000).level(scale) for scale in (2.0, 1.0, 0.75, 0.65, 0.5, 0.26, 0.0001)] == [
        *[0, 0, 0, 1, 1, 2],
        8,
    ]


def test_parent_and_children_name_each_other() -> None:
    tile = Tile("cutout", 2, 3, 2)
    assert all(HUGE.parent(child) == tile for child in HUGE.children(tile))
    assert len(HUGE.children(tile)) == 4


def test_zooming_leaves_the_point_under_the_pointer_where_it_is() -> None:
    view = View(0.2, 30, 40)
    before = view.to_photo(500, 300)
    for factor in (1.3, 0.4, 1_000, 0.000_01):
        assert view.zoomed(factor, (500, 300)).to_photo(500, 300) == pytest.approx(before)
    assert view.zoomed(1_000, (0, 0)).scale == 32


def test_a_fitted_photo_is_whole_centred_and_not_enlarged() -> None:
    view = View.fitted((4_000, 3_000), (1_000, 900))
    left, top, right, bottom = view.on_screen((0, 0, 4_000, 3_000))
    assert (left, right) == (0, 1_000)
    assert top == 900 - bottom
    assert View.fitted((10, 10), (1_000, 900)).scale == 1


def test_the_photo_cannot_be_moved_out_of_sight() -> None:
    far = View(0.1, 5_000, -7_000).kept_near((4_000, 3_000), (1_000, 800))
    left, top, right, bottom = far.on_screen((0, 0, 4_000, 3_000))
    assert left <= 500 <= right
    assert top <= 400 <= bottom


def test_tiles_that_meet_in_the_photo_meet_on_the_screen() -> None:
    view = View(0.37, 11.3, 4.9)
    row = sorted(HUGE.covering("photo", 1, (0, 0, 6_000, 100)))
    edges = [view.on_screen(HUGE.box(tile)) for tile in row]
    assert all(one[2] == other[0] for one, other in itertools.pairwise(edges))


def test_the_cache_forgets_what_was_used_least_recently() -> None:
    cache: Cache[str] = Cache(limit=100)
    first, second, third = (Tile("photo", 0, column, 0) for column in range(3))
    cache.put(first, "first", 40)
    cache.put(second, "second", 40)
    assert cache.get(first) == "first"
    cache.put(third, "third", 40)
    assert cache.get(second) is None
    assert cache.get(first) == "first"
    assert cache.bytes == 80


def test_a_stale_tile_is_shown_until_its_replacement_comes() -> None:
    cache: Cache[str] = Cache()
    inside, outside = Tile("cutout", 0, 0, 0), Tile("cutout", 0, 5, 5)
    photo = Tile("photo", 0, 0, 0)
    for tile in (inside, outside, photo):
        cache.put(tile, "old", 1)
    cache.outdate("cutout", (10, 10, 20, 20), HUGE)
    assert [cache.is_fresh(tile) for tile in (inside, outside, photo)] == [False, True, True]
    assert cache.get(inside) == "old"
    cache.put(inside, "new", 1)
    assert cache.is_fresh(inside)


def test_requests_are_made_once_and_cancelled_when_out_of_sight() -> None:
    requests = Requests()
    first, second = Tile("photo", 0, 0, 0), Tile("photo", 0, 1, 0)
    assert requests.plan([first, second], lambda _: False) == ([first, second], [])
    requests.asked(first, 1)
    requests.asked(second, 2)
    assert requests.plan([first, second], lambda _: False) == ([], [])
    assert requests.plan([second], lambda _: False) == ([], [1])
    assert requests.plan([first, second], lambda _: False) == ([first], [])  # in sight again: asked again
    assert requests.plan([second], lambda tile: tile == second) == ([], [2])


def test_an_answer_from_before_an_edit_is_old() -> None:
    requests = Requests()
    tile = Tile("cutout", 0, 0, 0)
    requests.asked(tile, 1)
    requests.outdate_box("cutout", (0, 0, 9, 9), HUGE)
    assert requests.answered(tile, 1)
    requests.asked(tile, 2)
    assert not requests.answered(tile, 2)
    assert not requests.pending
