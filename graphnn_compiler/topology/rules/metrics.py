"""Distances between points, and how a tree of neighbours is asked for them.

Input: coordinates, float64 (n, dimensions). Output: distances of pairs, the points a `KDTree` is made of, and bounds
between the two. Not for: which pairs are looked at.

The tree only proposes pairs; `distances` decides. Its bounds are therefore widened by more than rounding can amount to.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphnn_compiler.diagnostics import Problem, count
from graphnn_compiler.topology.graph import NodeSet

Metric = Literal["euclidean", "manhattan", "chebyshev", "haversine"]
Points = NDArray[np.float64]

EARTH_RADIUS = 6_371_008.8
"""Metres: the mean radius R1 = (2a + b) / 3 of the ellipsoid GRS 80. H. Moritz, "Geodetic Reference System 1980",
Journal of Geodesy 74 (2000), 128-133."""

NORMS: Mapping[Metric, float] = MappingProxyType(
    {"euclidean": 2.0, "manhattan": 1.0, "chebyshev": np.inf, "haversine": 2.0}
)
"""The Minkowski norm in which the tree of each metric works."""

_LARGEST = 1e150  # squares of larger coordinates overflow
_FARTHEST = 1e152
_WIDER, _SLIGHTLY = 1 + 1e-9, 1e-150
_SLIGHTLY_ON_UNIT_SPHERE = 1e-12


def distances(metric: Metric, one: Points, other: Points) -> NDArray[np.float64]:
    """The distance of point i of `one` and point i of `other`, both (m, dimensions); shape (m,).

    `haversine`: great-circle distance in metres of points (longitude, latitude) in degrees, on the sphere of
    `EARTH_RADIUS`; by the formula of R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984), 159.
    """
    if metric == "haversine":
        return _great_circle(one, other)
    total = np.zeros(len(one))
    for axis in range(one.shape[1]):
        apart = np.abs(one[:, axis] - other[:, axis])
        if metric == "chebyshev":
            np.maximum(total, apart, out=total)
        else:
            total += apart if metric == "manhattan" else apart**2
    return np.sqrt(total) if metric == "euclidean" else total


def _great_circle(one: Points, other: Points) -> NDArray[np.float64]:
    (longitude, latitude), (to_longitude, to_latitude) = np.radians(one).T, np.radians(other).T
    haversine = (
        np.sin((to_latitude - latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(to_latitude) * np.sin((to_longitude - longitude) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(haversine, 1))))


def tree_points(metric: Metric, points: Points) -> Points:
    """What a tree holds for these points: the points; for `haversine` unit vectors, (n, 3)."""
    if metric != "haversine":
        return points
    longitude, latitude = np.radians(points).T
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
    )


def tree_distance(metric: Metric, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A distance in the tree that is above that of any pair at most `distance` apart; for `haversine` from the chord
    2 sin(distance / 2 R)."""
    if metric != "haversine":
        return np.asarray(np.minimum(distance, _FARTHEST) * _WIDER + _SLIGHTLY)
    chord = 2 * np.sin(np.minimum(distance / (2 * EARTH_RADIUS), np.pi / 2))
    return np.asarray(chord * _WIDER + _SLIGHTLY_ON_UNIT_SPHERE)


def check_points(metric: Metric, points: Points, units: NodeSet) -> None:
    """Raise Problem E323 for coordinates of `units` that are no place: beyond a pole, or astronomical."""
    if metric == "haversine":
        beyond = np.flatnonzero(np.abs(points[:, 1]) > 90)
        what, value = "a latitude", points[:, 1]
        help = "`haversine` takes degrees, the longitude first: `at = [lon, lat]`"
        limit = "outside -90..90"
    else:
        beyond = np.flatnonzero((np.abs(points) > _LARGEST).any(axis=1))
        what, value = "a coordinate", np.abs(points).max(axis=1, initial=0)
        help, limit = "use larger units of length", f"above {_LARGEST:g}"
    if len(beyond):
        some = ", ".join(f"{value[i]:g} at `{units.keys[i]}`" for i in beyond[:3])
        has = "has" if len(beyond) == 1 else "have"
        raise Problem("E323", f"{count(len(beyond), 'unit')} {has} {what} {limit}: {some}", help=help)
