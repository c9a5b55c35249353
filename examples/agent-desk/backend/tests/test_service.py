"""The service without the services behind it: what does not reach them, and how it fails when it
would. The whole flow, with PostgreSQL, Redis, worker and page, is tested in a browser.
"""

import pytest
from fastapi.testclient import TestClient

from desk import main
from desk.agent import Step
from desk.progress import Event, from_row
from desk.questions import Question

ID = "6f0c0d7e-3f0e-4a3e-9a35-0f2f4e0c8f11"
QUESTION = Question.model_validate(
    {
        "id": ID,
        "text": "2+2",
        "status": "answered",
        "steps": [{"tool": "calculator", "input": "2+2", "output": "4"}],
        "answer": "2+2 is 4.",
        "asked_at": "2026-01-01T00:00:00Z",
        "answered_at": "2026-01-01T00:00:01Z",
    }
)


class NoQuestions:
    """Stands where the table would be."""

    def ping(self):
        raise ConnectionError

    def find(self, id):
        return None

    def remove(self, id):
        return False


class NoRedis:
    """Stands where the client would be."""

    async def ping(self):
        raise ConnectionError


@pytest.fixture
def client():
    # Not entered as a context: start-up, which connects, does not run.
    main.app.state.resources = main.Resources(NoQuestions(), NoRedis())
    return TestClient(main.app)


def test_is_alive_but_not_ready_without_its_services(client):
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"postgres": "ConnectionError", "redis": "ConnectionError"}


@pytest.mark.parametrize("text", ["", "   ", "x" * 501])
def test_refuses_what_is_not_a_question(client, text):
    assert client.post("/api/questions", json={"text": text}).status_code == 422


def test_knows_no_such_question(client):
    assert client.get(f"/api/questions/{ID}").status_code == 404
    assert client.get(f"/api/questions/{ID}/stream").status_code == 404
    assert client.get("/api/questions/1").status_code == 422


def test_nobody_deletes_without_a_token(client):
    assert client.delete(f"/api/questions/{ID}").status_code == 403
    wrong = {"Authorization": "Bearer wrong"}
    assert client.delete(f"/api/questions/{ID}", headers=wrong).status_code == 403


def test_pages_of_other_origins_are_not_let_in(client):
    allowed = client.get("/health/live", headers={"Origin": "http://localhost:8080"})
    assert allowed.headers["access-control-allow-origin"] == "http://localhost:8080"
    refused = client.get("/health/live", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


def test_metrics_count_by_route_and_not_by_path(client):
    client.get(f"/api/questions/{ID}")
    text = client.get("/metrics").text
    assert 'desk_http_requests_total{method="GET",route="/api/questions/{id}",status="404"}' in text
    assert ID not in text


def test_an_event_is_encoded_on_one_data_line():
    event = Event("1-0", "word", {"text": "two\nlines "})
    assert event.encode() == 'id: 1-0\nevent: word\ndata: {"text": "two\\nlines "}\n\n'


def test_a_forgotten_stream_is_told_from_the_row():
    assert from_row(QUESTION).data == {
        "answer": "2+2 is 4.",
        "steps": [Step(tool="calculator", input="2+2", output="4").model_dump()],
    }
    assert from_row(QUESTION).encode().startswith("event: done\n")
    failed = QUESTION.model_copy(update={"status": "failed", "answer": "no"})
    assert from_row(failed).kind == "failed"
