from fastapi import FastAPI

from .missing import something

app = FastAPI()
