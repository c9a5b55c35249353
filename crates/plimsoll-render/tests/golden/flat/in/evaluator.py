"""Judges what agents did."""

import os

import uvicorn
from fastapi import FastAPI

from shared import count

app = FastAPI(title="evaluator")


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/")
def root():
    return {"runs": count("evaluations")}


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.getenv("EVALUATOR_PORT", "8102")))
