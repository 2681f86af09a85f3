"""Controllers of care: patients, episodes, exercises, programs, exercise sessions and the patient's day."""

from litestar.types import ControllerRouterHandler

from api.care.episodes import EpisodeController
from api.care.exercises import ExerciseController
from api.care.patients import PatientController
from api.care.programs import ProgramController
from api.care.sessions import SessionController

CONTROLLERS: list[ControllerRouterHandler] = [
    PatientController,
    EpisodeController,
    ExerciseController,
    ProgramController,
    SessionController,
]
