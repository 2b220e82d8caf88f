"""`python -m flatforce`."""

from flatforce.cli import main

main()
