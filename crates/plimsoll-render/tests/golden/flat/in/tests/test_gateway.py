import os

os.environ.setdefault("DATABASE_URL", "postgresql://localhost/none")

from fastapi.testclient import TestClient

import gateway


def test_health():
    assert TestClient(gateway.app).get("/health").json() == {"status": "ok"}
