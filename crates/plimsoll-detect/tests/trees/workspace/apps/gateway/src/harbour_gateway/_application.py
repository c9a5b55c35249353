from fastapi import FastAPI

import harbour

app = FastAPI(title=harbour.LEVEL)


@app.get("/healthz")
def healthz():
    return "ok"
