from fastapi import FastAPI

from engine.checks.suite import verdict

app = FastAPI(title=verdict)
