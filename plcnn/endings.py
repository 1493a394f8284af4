"""How a command ends that does not come to its end: in words, with an exit code, and with nothing left to abort it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from plcnn.callbacks.interruption import Interrupted, requeue
from plcnn.errors import UserError, WrongCommandLine
from plcnn.processes import is_of_another
from plcnn.run_lock import release


def is_rank_zero() -> bool:
    """Whether this process speaks and writes for all of a run's."""
    return getattr(rank_zero_only, "rank", 0) == 0


@contextmanager
def ended_in_words() -> Iterator[None]:
    """Tell the errors that end a command as what the user can do about them; others pass.

    Raises:
        UserError: for a wrong command line, an interruption, and the end of another process of the run.
    """
    try:
        yield
    except WrongCommandLine as error:
        raise UserError(str(error), exit_code=2) from error
    except Interrupted as interruption:
        if not is_rank_zero():
            sys.exit(interruption.exit_code)
        if interruption.requeue:
            requeue()
        raise UserError(str(interruption), interruption.exit_code) from interruption
    except SIGTERMException as interruption:
        raise UserError("interrupted by SIGTERM", 143) from interruption
    except RuntimeError as error:
        if not is_of_another(error):
            raise
        fate = next(iter(getattr(error, "__notes__", [])), "another process of this run has ended")
        raise UserError(f"{fate[0].upper()}{fate[1:]}") from error
    finally:
        release()
        # Left to the interpreter's exit, gloo's threads abort it now and then.
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
