"""Open an empty practice with one therapist in the data folder, and print how to sign in there, as JSON.

For the browser tests: everything after this happens over HTTP, as in a practice.
"""

import asyncio
import json
import secrets
import sys

from api.rooms import DOCUMENTS
from core.platform import open_platform
from core.settings import load_settings
from identity.organizations import add_location, create_organization
from identity.staff import add_staff, set_password

EMAIL = "tess@larkspur.example"


async def main() -> None:
    password = secrets.token_urlsafe()
    async with open_platform(load_settings(), DOCUMENTS) as platform:
        access = await create_organization(
            platform.database, name="Larkspur Physical Therapy", time_zone="America/Chicago"
        )
        location = await add_location(access, name="North", time_zone="America/Chicago")
        member = await add_staff(
            access, name="Tess Trainor", email=EMAIL, roles=("therapist",), location_ids=None
        )
        await set_password(access, member.id, password)
    practice = {"email": EMAIL, "password": password, "location_id": location.id}
    sys.stdout.write(json.dumps(practice))


asyncio.run(main())
