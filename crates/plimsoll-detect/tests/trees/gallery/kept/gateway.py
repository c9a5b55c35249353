import os

import uvicorn
from fastapi import FastAPI


class Gateway:
    def __init__(self):
        self.app = FastAPI()
        self.routes()

    def routes(self):
        @self.app.get("/health")
        def health():
            return {}

    def run(self):
        uvicorn.run(self.app, host=os.getenv("HOST", "127.0.0.1"), port=int(os.getenv("PORT", "8700")))


if __name__ == "__main__":
    Gateway().run()
