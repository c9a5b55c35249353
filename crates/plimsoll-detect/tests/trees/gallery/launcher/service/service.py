from fastapi import FastAPI

from core.settings import Level, Name

app = FastAPI(title=Name(Level("x")))
