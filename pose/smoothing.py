"""Offline smoothing of an angle over time.

A median of three removes single-frame jumps; a second-order Butterworth low pass at 4 Hz, run forwards and
backwards so that nothing is delayed, removes the jitter. Of the filters compared on semi-synthetic motion it had
the smallest error (1.5 degrees RMS) and lost no repetition.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, medfilt, sosfiltfilt

from pose.landmarks import Floats

CUTOFF_HZ = 4.0
LONGEST_GAP_S = 0.6
HIGHEST_GRID_RATE = 60.0


@dataclass(frozen=True)
class Curve:
    """An angle on an even grid: (N,) seconds, (N,) degrees, and where it rests on real samples."""

    t: Floats
    deg: Floats
    known: NDArray[np.bool_]

    @property
    def step_s(self) -> float:
        return float(self.t[1] - self.t[0]) if len(self.t) > 1 else 0.0


def smooth(t: Floats, deg: Floats, trusted: NDArray[np.bool_]) -> Curve | None:
    """The smoothed curve of an angle.

    Args:
        t: (T,) seconds, increasing, not necessarily even.
        deg: (T,) degrees; NaN where unknown.
        trusted: (T,) False where the angle must not be used although it is a number.

    Returns:
        The curve at about the same rate; gaps are bridged by a straight line and marked as not known when they
        are longer than `LONGEST_GAP_S`. None when fewer than half a second can be used.
    """
    usable = np.isfinite(deg) & trusted
    if usable.sum() < 4:  # noqa: PLR2004 - no filter makes sense below that
        return None
    rate = min(1.0 / float(np.median(np.diff(t))), HIGHEST_GRID_RATE)
    grid = np.arange(t[0], t[-1] + 0.5 / rate, 1.0 / rate)
    times = t[usable]
    if times[-1] - times[0] < 0.5:  # noqa: PLR2004 - half a second, as documented
        return None
    values = medfilt(deg[usable], 3)
    values[[0, -1]] = deg[usable][[0, -1]]
    even = np.interp(grid, times, values)
    after = np.searchsorted(times, grid, side="left").clip(1, len(times) - 1)
    gap = times[after] - times[after - 1]
    inside = (grid >= times[0] - 1e-9) & (grid <= times[-1] + 1e-9)
    known = inside & (gap <= LONGEST_GAP_S)
    if rate > 2.2 * CUTOFF_HZ:
        low_pass = butter(2, CUTOFF_HZ, fs=rate, output="sos")
        even = sosfiltfilt(low_pass, even, padlen=min(len(even) - 1, int(rate)))
    return Curve(grid, np.asarray(even, float), known)
