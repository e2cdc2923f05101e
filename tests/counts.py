"""How often the long tests repeat themselves: whole in `make soak`, some tenth in `make test`."""

import os

SOAK = os.environ.get("TICKREEL_SOAK") == "1"
