from typing import TypeAlias

from pydantic_settings import BaseSettings

type Level = str
Name: TypeAlias = str


class Settings(BaseSettings):
    HOST: str = "0.0.0.0"
    PORT: int = 8123


settings = Settings()
