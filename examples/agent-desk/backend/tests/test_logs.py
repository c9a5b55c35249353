import json
import logging

from desk.logs import JsonFormatter


def test_a_record_is_one_line_of_json_with_its_extra_fields():
    record = logging.makeLogRecord(
        {
            "name": "desk.access",
            "levelname": "INFO",
            "msg": "%s %s",
            "args": ("GET", "/a\nb"),
            "created": 0,
            "status": 200,
        }
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "info",
        "logger": "desk.access",
        "message": "GET /a\nb",
        "status": 200,
    }


def test_an_exception_stays_on_the_line():
    try:
        raise ValueError("no")
    except ValueError as error:
        record = logging.makeLogRecord({"exc_info": (type(error), error, error.__traceback__)})
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "ValueError: no" in json.loads(line)["exception"]
