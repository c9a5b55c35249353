from desk.queue import queue


@queue.task
def answer(question):
    return question


@queue.task(name="desk.tasks.sweep")
def sweep():
    return None
