"""`python -m supervisor.cli` is the command `handrail`."""

from supervisor.cli import main

main()
