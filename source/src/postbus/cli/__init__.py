"""The operator's command, ``postbus``."""
