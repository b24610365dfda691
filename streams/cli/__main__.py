"""`python -m streams.cli`: the same as `tocsin`."""

from streams.cli import main

main()
