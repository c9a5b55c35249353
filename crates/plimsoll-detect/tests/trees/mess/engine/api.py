import numpy
import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/api/v1/health")
def health():
    return {"n": int(numpy.int64(1))}


def run(port: int = 8000):
    uvicorn.run(app, host="127.0.0.1", port=port)
