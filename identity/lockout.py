"""How often somebody may guess. The counts are kept in the database and hold across processes.

Attempts are counted before they are checked, so that many at once gain nothing. What is counted does not
depend on whether there is such an account: being locked out tells nothing.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from core.rate_limits import RateLimits, Rule

_HOUR_S = 3600

# Ten wrong passwords, then one try every six minutes: far fewer than the 100 consecutive failures that NIST
# SP 800-63B-4, section 3.2.2, tolerates, and no way for a stranger to lock somebody out for days.
PASSWORD_BY_EMAIL = Rule("password-by-email", 10, _HOUR_S)

# The same for somebody who is signed in, or found a device unlocked, and changes the password.
PASSWORD_BY_ACCOUNT = Rule("password-by-account", 10, _HOUR_S)

# Three of a million codes are good at any time; whoever guesses them has the password already.
CODE_BY_ACCOUNT = Rule("code-by-account", 5, _HOUR_S)

# Right attempts count too: otherwise one account of one's own would pay for any number of guesses at others'.
# The staff of a whole clinic signs in from one address in the morning.
ATTEMPTS_BY_ADDRESS = Rule("attempts-by-address", 200, _HOUR_S)


@asynccontextmanager
async def counted(
    limits: RateLimits, rule: Rule, key: str, client_address: str | None
) -> AsyncGenerator[None]:
    """Count one guess at `key` under `rule`, and one of the client's; a right one clears the count of `key`.

    Raises:
        TooManyRequests: the guesses are used up; it says when to try again.
    """
    if client_address is not None:
        await limits.hit(client_address, ATTEMPTS_BY_ADDRESS)
    await limits.hit(key, rule)
    yield
    await limits.forgive(key, rule)
