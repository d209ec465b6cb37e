"""`multitask similarity` from a checkout: `python -m scripts.similarity`."""

import sys

from modeling_multitask.commands.similarity import main

if __name__ == "__main__":
    sys.exit(main())
