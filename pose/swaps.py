"""Follows one limb through frames in which the landmark network takes the other one for it.

Seen from the side, the far leg is now and then labelled as the near one for a few frames, and a straight knee
seems to bend by 80 degrees and back. A joint cannot turn that fast: where it seems to, the angle that
carries the other label is the better one.
"""

import numpy as np

from pose.landmarks import Floats

FASTEST_DEG_PER_S = 450.0
"""Faster than any joint turns in an exercise at home."""

OTHER_LABEL_COST_DEG = 2.0
"""Cost per frame of reading the angle of the other side."""


def follow_limb(t: Floats, own: Floats, other: Floats) -> Floats:
    """The course of a joint angle that needs the fewest impossible jumps.

    Args:
        t: (T,) seconds.
        own: (T,) degrees as labelled; NaN where unknown.
        other: (T,) degrees of the same joint on the other side.

    Returns:
        (T,) degrees, each from `own` unless `other` spares a jump (shortest path over both labels).
    """
    finite = np.flatnonzero(np.isfinite(own) & np.isfinite(other))
    if len(finite) < 3:  # noqa: PLR2004 - nothing to be continuous with
        return own
    choices = np.stack([own[finite], other[finite]])
    reachable = FASTEST_DEG_PER_S * np.diff(t[finite])
    cost = np.array([0.0, OTHER_LABEL_COST_DEG])
    best_before: list[tuple[int, int]] = []
    for index in range(1, len(finite)):
        jumps = np.abs(choices[:, index][None, :] - choices[:, index - 1][:, None])
        ways = cost[:, None] + np.maximum(jumps - reachable[index - 1], 0.0)
        best = ways.argmin(axis=0)
        best_before.append((int(best[0]), int(best[1])))
        cost = ways.min(axis=0) + np.array([0.0, OTHER_LABEL_COST_DEG])
    label = int(cost.argmin())
    followed = own.copy()
    for index in range(len(finite) - 1, -1, -1):
        followed[finite[index]] = choices[label, index]
        if index:
            label = best_before[index - 1][label]
    return followed
