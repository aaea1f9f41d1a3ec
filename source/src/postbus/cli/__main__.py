"""``python -m postbus.cli``."""

from postbus.cli.app import main

main()
