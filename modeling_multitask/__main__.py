"""The command `multitask`, as `python -m modeling_multitask`."""

import sys

from .commands import main

sys.exit(main())
