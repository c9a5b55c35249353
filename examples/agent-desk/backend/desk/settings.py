"""Configuration, from environment variables only.

A variable that is missing or malformed ends the process at once, with its name and without its
value, which may be a secret.
"""

import sys
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, PostgresDsn, RedisDsn, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Every variable that the desk reads; `.env.example` documents the same list."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    database_url: PostgresDsn
    """Where questions and answers are kept."""

    redis_url: RedisDsn
    """The queue between service and worker, and the progress of answers being written."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least severe log record that is written."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = (
        "http://localhost:8080",
        "http://127.0.0.1:8080",
    )
    """Origins whose pages may call the service, separated by commas."""

    api_token: SecretStr | None = None
    """What a caller must show to delete a question; nobody can while it is not set."""

    words_per_second: float = Field(default=12.0, gt=0, le=1000)
    """How fast the agent writes."""

    @field_validator("cors_origins", mode="before")
    @classmethod
    def split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    try:
        return Settings()
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            variable = "_".join(str(part) for part in fault["loc"]).upper()
            print(f"{variable}: {fault['msg']}", file=sys.stderr)
        raise SystemExit(2) from None
