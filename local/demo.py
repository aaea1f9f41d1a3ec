"""The guided tour: seed, generate, follow, summarise."""

from local.settings import CannotRun, Settings


def run(settings: Settings) -> None:
    """Show the deployed stack at work."""
    raise CannotRun(f"The demo has no tour yet; the stack is up at {settings.endpoint}.")
