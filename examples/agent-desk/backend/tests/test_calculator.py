import pytest

from desk.calculator import CannotCalculate, calculate, expressions, spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is 2 + 2?", ["2+2"]),
        ("12 percent of 1,250 please", ["12/100*1250"]),
        ("2 times (3 plus 4)", ["2*(3+4)"]),
        ("is 6 x 7 more than 2^5?", ["6*7", "2**5"]),
        ("2^16 − 1, 6 ÷ 4", ["2**16-1", "6/4"]),
        ("10 divided by 4. And 9 minus 1.", ["10/4", "9-1"]),
        ("call me at 10 o'clock, on day 3", []),
        ("", []),
    ],
)
def test_finds_arithmetic_in_prose(text, expected):
    assert expressions(text) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("12/100*340", "12% of 340"),
        ("2*(3+4)", "2 × (3 + 4)"),
        ("2**5-1", "2^5 − 1"),
        ("-7/2", "−7 / 2"),
    ],
)
def test_tells_an_expression_as_people_write_it(expression, expected):
    assert spoken(expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0.1+0.2", "0.3"),
        ("1/3", "0.333333"),
        ("-7/2", "-3.5"),
        ("2**64", "18,446,744,073,709,551,616"),
        ("2**-2", "0.25"),
        ("1000000/7", "142,857.142857"),
        ("1/3-1/3", "0"),
    ],
)
def test_calculates_exactly(expression, expected):
    assert calculate(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "1/0",
        "2**65",
        "9**64**64",
        "2**0.5",
        "(1+2",
        "1+",
        "abs(1)",
        "1 if 2 else 3",
        "(" * 300 + "1",
    ],
)
def test_refuses_what_has_no_value_or_is_too_much(expression):
    with pytest.raises(CannotCalculate):
        calculate(expression)
