"""A practice of its own for each test, with a clock that the test moves."""

from tests.clinic_fixtures import clinic, clock, database, work_off

__all__ = ["clinic", "clock", "database", "work_off"]
