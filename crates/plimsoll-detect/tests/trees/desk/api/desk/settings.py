from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DESK_")

    database_url: str = Field(validation_alias="DATABASE_URL")
    broker_url: str = Field("redis://localhost:6379/1", alias="CELERY_BROKER_URL")
    openai_api_key: SecretStr | None = None
    session_secret: SecretStr
    rate: float = 2.5
    debug: bool = False


settings = Settings()
