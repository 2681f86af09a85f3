"""`python -m api.cli`, the same as the console script."""

from api.cli import main

main()
