import asyncio

from fastapi import FastAPI


class Brain:
    def __init__(self):
        asyncio.create_task(self.think())

    async def think(self):
        return None


brain = Brain()
app = FastAPI()
