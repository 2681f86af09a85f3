"""Many recordings handed over at once, so that every kill finds some under way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.footage import unlike_others
from tests.faults.phones import Phone, Recording

AT_ONCE = 8


@dataclass
class Line:
    """Recordings wait in line: each kill lets some more begin, so that every kill finds work under way."""

    length: int
    planned: dict[str, int]
    """How often each part is to be killed."""
    killed: Counter[str] = field(default_factory=Counter[str])
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    def admitted(self) -> int:
        """How many recordings may have begun by now."""
        behind = min(self.killed[part] / kills for part, kills in self.planned.items())
        return AT_ONCE + round((self.length - AT_ONCE) * behind)

    async def turn_of(self, number: int) -> None:
        async with self.moved:
            await self.moved.wait_for(lambda: number < self.admitted())

    async def advance(self, part: str) -> None:
        async with self.moved:
            self.killed[part] += 1
            self.moved.notify_all()


async def film_all(held: Sequence[Phone], clip: bytes, line: Line) -> list[Recording]:
    """Every phone films and uploads, several recordings at once, until all are handed over."""
    numbers = iter(range(line.length))

    async def keep_filming(phone: Phone) -> list[Recording]:
        mine: list[Recording] = []
        for number in numbers:
            await line.turn_of(number)
            mine.append(await phone.film(unlike_others(clip, number)))
        return mine

    done = await asyncio.gather(*(keep_filming(held[index % len(held)]) for index in range(AT_ONCE)))
    return [recording for some in done for recording in some]
