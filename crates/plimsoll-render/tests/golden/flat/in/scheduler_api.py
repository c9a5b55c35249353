"""Says what runs next."""

import os

import uvicorn
from fastapi import FastAPI

from shared import count

app = FastAPI(title="scheduler_api")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/")
def root():
    return {"next": count("next")}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.getenv("SCHEDULER_PORT", "8105")))
