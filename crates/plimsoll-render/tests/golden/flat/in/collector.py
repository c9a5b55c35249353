"""Counts what agents reported."""

import os

import uvicorn
from fastapi import FastAPI

from shared import count

app = FastAPI(title="collector")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/")
def root():
    return {"reports": count("reports")}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.getenv("COLLECTOR_PORT", "8107")))
