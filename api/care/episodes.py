"""Routes of one episode of care."""

from litestar import Controller, Response, get, patch, post
from litestar.params import FromPath, JSONBody

from api.authorization import needs
from api.dependencies import Given
from api.etags import IfMatch, expected_version, tagged
from care.episodes import EpisodeChanges, EpisodeView, change_episode, get_episode
from care.programs import NewProgram, ProgramView, prescribe
from core.access import Access
from identity.policy import Permission


class EpisodeController(Controller):
    path = "/episodes/{episode_id:str}"
    tags = ("Episodes",)

    @get("/", opt=needs(Permission.EPISODE_READ))
    async def get_episode(self, access: Given[Access], episode_id: FromPath[str]) -> Response[EpisodeView]:
        """Get an episode of care."""
        episode = await get_episode(access, episode_id)
        return tagged(episode, episode.version)

    @patch("/", opt=needs(Permission.EPISODE_MANAGE))
    async def change_episode(
        self,
        access: Given[Access],
        episode_id: FromPath[str],
        data: JSONBody[EpisodeChanges],
        if_match: IfMatch = None,
    ) -> Response[EpisodeView]:
        """Correct or close an episode of care."""
        episode = await change_episode(access, episode_id, data, expected_version=expected_version(if_match))
        return tagged(episode, episode.version)

    @post("/programs", opt=needs(Permission.PROGRAM_PRESCRIBE))
    async def prescribe_program(
        self, access: Given[Access], episode_id: FromPath[str], data: JSONBody[NewProgram]
    ) -> Response[ProgramView]:
        """Prescribe a home exercise program."""
        program = await prescribe(access, episode_id, data)
        return tagged(program, program.version, status_code=201)
