"""The one exception for bad input: what is wrong, where, and how to mend it."""

from pathlib import Path


class InputError(Exception):
    """Input that cannot be used. Its text is one line for the user; the command line prints it and exits with 1.

    Attributes:
        message: What was found and what was expected.
        path: The file, where there is one.
        line: Its line, counted from 1.
        mend: What the user can do about it.
    """

    def __init__(
        self, message: str, *, path: Path | str | None = None, line: int | None = None, mend: str = ""
    ) -> None:
        self.message, self.path, self.line, self.mend = message, path, line, mend
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(f"{where}{message}" + (f" ({mend})" if mend else ""))
