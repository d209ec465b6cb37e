"""`multitask study` from a checkout: `python -m scripts.study`."""

import sys

from modeling_multitask.commands.study import main

if __name__ == "__main__":
    sys.exit(main())
