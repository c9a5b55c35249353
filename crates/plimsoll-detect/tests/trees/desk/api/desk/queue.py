from celery import Celery

from desk.settings import settings

queue = Celery("desk", broker=settings.broker_url)
queue.conf.beat_schedule = {"sweep": {"task": "desk.tasks.sweep", "schedule": 60.0}}
