"""The commands of `reverie` by subject: what each may be told, and what it does.  Heavy imports wait for them."""

import argparse
from typing import TypeAlias

BAD_INPUT = 2  # the exit code
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
