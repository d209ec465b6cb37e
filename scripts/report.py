"""`multitask report` from a checkout: `python -m scripts.report`."""

import sys

from modeling_multitask.commands.report import main

if __name__ == "__main__":
    sys.exit(main())
