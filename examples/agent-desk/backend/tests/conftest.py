"""The modules under test read their settings when imported; nothing listens at these addresses."""

import os

os.environ.setdefault("DATABASE_URL", "postgresql://desk:secret@127.0.0.1:1/desk")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
