"""One file for each outside thing the domain's ports stand for."""
