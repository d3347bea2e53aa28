#!/usr/bin/env python
"""Django's command line for Marquee."""

import os
import sys

from django.core.management import execute_from_command_line

from ott.embedded.benching import ON_STACK, run_on_stack

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ott.settings")
    if sys.argv[1:2] == ["bench"] and ON_STACK not in os.environ:
        sys.exit(run_on_stack(sys.argv))
    execute_from_command_line(sys.argv)
