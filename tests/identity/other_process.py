"""A process of its own: guesses nine times at Otto's password, then signs a token's owner out everywhere."""

import asyncio
import sys

from core.platform import open_platform
from core.settings import load_settings
from identity.authority import Authority
from identity.documents import DOCUMENTS
from identity.sessions import Device, sign_out_everywhere
from identity.sign_in import WrongCredentials, sign_in


async def main(token: str) -> None:
    async with open_platform(load_settings(), DOCUMENTS) as platform:
        authority = Authority.of(platform)
        for number in range(9):
            try:
                await sign_in(
                    authority,
                    email="otto@larkspur.example",
                    password=f"wrong password {number}",
                    device=Device(),
                    client_address="203.0.113.9",
                )
            except WrongCredentials:
                continue
            raise AssertionError("a wrong password opened the account")
        caller = await authority.callers.caller(token)
        await sign_out_everywhere(authority, platform.database.access(caller.actor))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
