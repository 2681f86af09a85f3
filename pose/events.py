"""Facts that pose publishes."""

from typing import ClassVar

from care.events import PatientEvent


class ExerciseVideoAnalyzed(PatientEvent, frozen=True, kw_only=True):
    """The analysis of a recording has ended; `readable` says whether the recording could be analysed."""

    name: ClassVar[str] = "pose.exercise_video_analyzed"
    exercise_session_id: str
    upload_id: str
    analysis_id: str
    readable: bool
