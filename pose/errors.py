"""What can go wrong with an analysis, by what the caller can do about it.

PoseError
├── UnreadableVideo    the recording cannot be analysed: show the reason, ask for another one
├── UnreadableTrack    the landmark file cannot be analysed: likewise
├── ModelMissing       the landmark models are not built on this machine: run `python -m pose.models`
└── DecoderFailed      our decoder broke: a defect, worth a retry and a report
"""

from core.errors import HomestretchError, Unavailable


class PoseError(HomestretchError):
    """Any failure of the pose engine."""


class UnreadableVideo(PoseError):
    """A recording that cannot be analysed.

    Args:
        code: Stable reason, one of `REASONS`.
        detail: One plain sentence for the person who made the recording.
    """

    def __init__(self, code: str, detail: str) -> None:
        if code not in REASONS:
            raise ValueError(f"undocumented reason {code!r}")
        super().__init__(detail, code=code)


class UnreadableTrack(PoseError):
    """A landmark track (.npz) whose arrays are missing, misshapen or without a person."""

    code = "unreadable_track"


class ModelMissing(PoseError, Unavailable):
    """The landmark model bundle has not been built, or is not the one this version was validated with."""


class DecoderFailed(PoseError, Unavailable):
    """The confined decoder ended without a result and without blaming the recording."""


REASONS = frozenset(
    {
        "archive",
        "audio_only",
        "camera_moving",
        "empty",
        "image",
        "no_person",
        "not_a_video",
        "playlist",
        "several_people",
        "too_costly",
        "too_dark",
        "too_large",
        "too_long",
        "too_short",
        "too_small",
        "truncated_unreadable",
        "undecodable",
        "unsupported_codec",
        "unsupported_container",
    }
)
"""Every reason for which a recording is refused."""
