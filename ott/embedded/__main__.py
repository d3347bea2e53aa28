"""`python -m ott.embedded up`, and `exec -- COMMAND`."""

import argparse
import sys

from .temporary import run_with_servers
from .up import up


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ott.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="action", required=True)
    up_parser = commands.add_parser("up", help="run the whole platform")
    up_parser.add_argument("--with-parent", action="store_true", help="stop when the process that started this dies")
    exec_parser = commands.add_parser("exec", help="run a command on temporary servers")
    exec_parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    return parser


if __name__ == "__main__":
    arguments = _parser().parse_args()
    if arguments.action == "up":
        sys.exit(up(with_parent=arguments.with_parent))
    sys.exit(run_with_servers(arguments.command))
