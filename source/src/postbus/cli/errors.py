"""What the command says when it cannot do what was asked, and with which exit code it ends."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended, for scripts."""

    DONE = 0
    NOT_DONE = 1
    BAD_INPUT = 2
    NO_ANSWER = 3


class CannotRun(Exception):
    """The command cannot run as it was given; the message names the field and the remedy."""

    exit = Exit.BAD_INPUT


class NotDone(CannotRun):
    """It was understood and refused: the state of things does not allow it."""

    exit = Exit.NOT_DONE
