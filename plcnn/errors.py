"""The one exception for faults that the person at the keyboard can mend."""


class UserError(ValueError):
    """A fault the user can mend: the command line prints the message alone, without a traceback.

    The message says what was given, what is allowed and how to mend it, in one or two lines.

    Args:
        message: the text to print.
        exit_code: the process's exit code; 2 for a wrong command line, 1 for everything else.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class WrongCommandLine(BaseException):
    """What a parser refuses; no `Exception`, for jsonargparse catches those and tries something else.

    It becomes a `UserError` where the parser was called.
    """


def wrong_value(key: str, value: object, allowed: str, example: object) -> UserError:
    """The error for an argument outside its range: what was given, what is allowed, an example."""
    return UserError(f"{key}: got {value}; allowed: {allowed}. For example {key}: {example}", exit_code=2)


def first_line(error: BaseException) -> str:
    """The first line of what an error says; PyTorch's may go on with a listing of its own calls."""
    return next(iter(str(error).splitlines()), "")
