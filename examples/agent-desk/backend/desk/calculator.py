"""The agent's first tool: exact arithmetic, found in prose."""

import ast
import operator
import re
from fractions import Fraction

_SPOKEN = [
    (r"\bper ?cent\b", "%"),
    (r"\bplus\b", "+"),
    (r"\bminus\b|−", "-"),
    (r"\b(?:times|multiplied by)\b", "*"),
    (r"\b(?:divided by|over)\b|÷", "/"),
    (r"\bto the power of\b|\^", "**"),
    (r"(?<=[\d)])\s*[x×]\s*(?=[\d(])", "*"),
    (r"(?<=\d),(?=\d{3}\b)", ""),
    (r"([\d.]+)\s*%\s*of\b", r"\1/100*"),
    (r"([\d.]+)\s*%", r"(\1/100)"),
]
_EXPRESSION = re.compile(r"[-+(]*\d[-+*/().\d\s]*")
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_LARGEST_POWER = 64
_MOST_BITS = 4096


class CannotCalculate(Exception):
    """The expression has no value, or none worth the work."""


def expressions(text: str) -> list[str]:
    """The arithmetic in a text, spoken or written: `12% of 340` is `12/100*340`."""
    text = text.lower()
    for pattern, replacement in _SPOKEN:
        text = re.sub(pattern, replacement, text)
    found = (re.sub(r"\s+", "", match).rstrip(".+-*/(") for match in _EXPRESSION.findall(text))
    return [expression for expression in found if re.search(r"\d\)*[-+*/]", expression)]


def spoken(expression: str) -> str:
    """An expression as people write it: `12/100*340` is `12% of 340`."""
    text = re.sub(r"(?<![\d.])([\d.]+)/100\*(?=[\d(])", r"\1% of ", expression)
    text = re.sub(r"\*\*", "^", text).replace("*", "×").replace("-", "−")
    return re.sub(r"(?<=[\d)])([+−×/])", r" \1 ", text)


def calculate(expression: str) -> str:
    """The expression's value, with separators between thousands and at most six decimals."""
    try:
        value = _value(ast.parse(expression, mode="eval").body)
    except (SyntaxError, RecursionError):
        raise CannotCalculate("the brackets or operators do not match") from None
    except ZeroDivisionError:
        raise CannotCalculate("nothing can be divided by zero") from None
    if value.denominator == 1:
        return f"{value.numerator:,}"
    # Fraction has no format of its own before Python 3.12; these digits are exact.
    scaled = round(value * 10**6)
    whole, decimals = divmod(abs(scaled), 10**6)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole:,}.{decimals:06}".rstrip("0").rstrip(".")


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(repr(number))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            first, second = _value(left), _value(right)
            if isinstance(op, ast.Pow):
                if second.denominator != 1 or abs(second) > _LARGEST_POWER:
                    raise CannotCalculate(f"powers end at {_LARGEST_POWER}")
                second = int(second)
            value = _OPERATORS[type(op)](first, second)
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
                raise CannotCalculate("the number is too large")
            return value
    raise CannotCalculate("only numbers, brackets and + - * / ** are understood")
