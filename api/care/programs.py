"""Routes of one home exercise program."""

from litestar import Controller, Response, get, put
from litestar.params import FromPath, JSONBody

from api.authorization import needs
from api.dependencies import Given
from api.etags import IfMatch, expected_version, tagged
from care.program_versions import ProgramVersion
from care.programs import ProgramView, RevisedProgram, get_program, program_history, revise
from core.access import Access
from core.pages import Page
from engagement.compliance import ProgramCompliance
from engagement.scoring import compliance_of_program
from identity.policy import Permission


class ProgramController(Controller):
    path = "/programs/{program_id:str}"
    tags = ("Programs",)

    @get("/", opt=needs(Permission.PROGRAM_READ))
    async def get_program(self, access: Given[Access], program_id: FromPath[str]) -> Response[ProgramView]:
        """Get a home exercise program in its newest version."""
        program = await get_program(access, program_id)
        return tagged(program, program.version)

    @put("/", opt=needs(Permission.PROGRAM_PRESCRIBE))
    async def revise_program(
        self,
        access: Given[Access],
        program_id: FromPath[str],
        data: JSONBody[RevisedProgram],
        if_match: IfMatch = None,
    ) -> Response[ProgramView]:
        """Revise a program from a day on. What was prescribed before is kept as it was."""
        program = await revise(access, program_id, data, expected_version=expected_version(if_match))
        return tagged(program, program.version)

    @get("/versions", opt=needs(Permission.PROGRAM_READ))
    async def list_program_versions(
        self, access: Given[Access], program_id: FromPath[str]
    ) -> Page[ProgramVersion]:
        """List every version of a program, the first one first, all on one page."""
        return Page(items=await program_history(access, program_id))

    @get("/compliance", opt=needs(Permission.COMPLIANCE_READ))
    async def get_program_compliance(
        self, access: Given[Access], program_id: FromPath[str]
    ) -> ProgramCompliance:
        """Get a program's compliance from its first day on, with every part it is made of."""
        return await compliance_of_program(access, program_id)
