import os

LEVEL = os.getenv("HARBOUR_LEVEL", "info")
