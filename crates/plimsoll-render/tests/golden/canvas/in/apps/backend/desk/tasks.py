"""What is worked off a queue."""

import os

from celery import Celery

app = Celery("desk", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_BROKER_URL"])


@app.task
def shout(text: str) -> str:
    return text.upper()
