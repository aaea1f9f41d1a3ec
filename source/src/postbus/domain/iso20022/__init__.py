"""ISO 20022 payment messages: read, judged, answered."""
