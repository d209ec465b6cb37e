"""`multitask predict` from a checkout: `python -m scripts.predict`."""

import sys

from modeling_multitask.commands.predict import main

if __name__ == "__main__":
    sys.exit(main())
