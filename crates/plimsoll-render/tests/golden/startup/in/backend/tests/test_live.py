import os

os.environ.setdefault("DATABASE_URL", "postgresql://localhost/none")
os.environ.setdefault("REDIS_URL", "redis://localhost:6379/0")


def test_live():
    from app.main import live

    assert live() == {"status": "ok"}
