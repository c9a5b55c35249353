from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine
from sse_starlette.sse import EventSourceResponse

from desk import routes
from desk.settings import settings
from desk.tasks import answer

engine = create_async_engine(settings.database_url)


def create_app(title: str = "desk") -> FastAPI:
    application = FastAPI(title=title)
    application.include_router(routes.health, prefix="/api")

    @application.get("/api/stream")
    async def stream():
        answer.delay("question")
        return EventSourceResponse(iter(()))

    return application


app = create_app()
