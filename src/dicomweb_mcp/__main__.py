"""``python -m dicomweb_mcp`` is ``dicomweb-mcp``."""

import sys

from .cli import main

sys.exit(main())
