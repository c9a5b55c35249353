import pytest

from desk.settings import Settings, settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for variable in Settings.model_fields:
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://desk:secret@db/desk")
    monkeypatch.setenv("REDIS_URL", "redis://queue:6379/0")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_only_the_two_addresses_are_required():
    assert settings().log_level == "INFO"
    assert settings().api_token is None


def test_origins_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example,")
    assert settings().cors_origins == ("https://a.example", "https://b.example")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch):
    monkeypatch.setenv("API_TOKEN", "")
    assert settings().api_token is None


def test_each_wrong_variable_is_named_and_no_value_shown(monkeypatch, capsys):
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("DATABASE_URL", "mysql://desk:secret@db/desk")
    monkeypatch.setenv("WORDS_PER_SECOND", "fast")
    with pytest.raises(SystemExit) as ended:
        settings()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "DATABASE_URL",
        "REDIS_URL",
        "WORDS_PER_SECOND",
    ]
    assert "secret" not in said and "fast" not in said
