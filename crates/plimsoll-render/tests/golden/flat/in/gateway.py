"""The door."""

import os

import uvicorn
from fastapi import FastAPI

from shared import count

app = FastAPI(title="gateway")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/")
def root():
    return {"requests": count("requests")}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.getenv("GATEWAY_PORT", "8000")))
