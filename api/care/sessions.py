"""Routes of exercise sessions."""

from litestar import Controller, Response, get, patch, post
from litestar.params import FromPath, JSONBody

from api.authorization import needs
from api.dependencies import Given
from api.etags import IfMatch, expected_version, tagged
from care.sessions import (
    NewSession,
    SessionChanges,
    SessionView,
    change_session,
    get_session,
    start_session,
)
from core.access import Access
from identity.policy import Permission
from pose.session_analysis import SessionAnalysis, analysis_of_session


class SessionController(Controller):
    path = "/exercise-sessions"
    tags = ("Exercise sessions",)

    @post("/", opt=needs(Permission.SESSION_RECORD))
    async def start_session(self, access: Given[Access], data: JSONBody[NewSession]) -> Response[SessionView]:
        """Record that a prescribed exercise is being done, or was done."""
        session = await start_session(access, data)
        return tagged(session, session.version, status_code=201)

    @get("/{session_id:str}", opt=needs(Permission.SESSION_READ))
    async def get_session(self, access: Given[Access], session_id: FromPath[str]) -> Response[SessionView]:
        """Get an exercise session with its evidence."""
        session = await get_session(access, session_id)
        return tagged(session, session.version)

    @patch("/{session_id:str}", opt=needs(Permission.SESSION_RECORD))
    async def change_session(
        self,
        access: Given[Access],
        session_id: FromPath[str],
        data: JSONBody[SessionChanges],
        if_match: IfMatch = None,
    ) -> Response[SessionView]:
        """Add how it felt afterwards, notes, or one's own count."""
        session = await change_session(access, session_id, data, expected_version=expected_version(if_match))
        return tagged(session, session.version)

    @get("/{session_id:str}/analysis", opt=needs(Permission.SESSION_READ))
    async def get_session_analysis(self, access: Given[Access], session_id: FromPath[str]) -> SessionAnalysis:
        """Get what the analysis of the session's newest video found, or where it stands."""
        return await analysis_of_session(access, session_id)
