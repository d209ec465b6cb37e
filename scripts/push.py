"""`multitask push` from a checkout: `python -m scripts.push`."""

import sys

from modeling_multitask.commands.push import main

if __name__ == "__main__":
    sys.exit(main())
