"""`multitask env` from a checkout: `python -m scripts.env`."""

import sys

from modeling_multitask.commands.env import main

if __name__ == "__main__":
    sys.exit(main())
