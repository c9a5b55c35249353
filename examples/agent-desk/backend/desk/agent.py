"""A small agent: it plans which tools a question needs, uses them, and writes an answer.

It follows rules instead of asking a model, so one question always gets one answer, and needs
nothing from outside.
"""

from collections.abc import Iterator

from pydantic import BaseModel

from desk import calculator, glossary

_MOST_STEPS = 6
_SHRUG = (
    "I can do two things: work out numbers, and explain the words of ships and containers. "
    "Ask me for 12% of 340, or what a Plimsoll line is."
)


class Step(BaseModel):
    """One use of a tool."""

    tool: str
    input: str
    output: str


class Word(BaseModel):
    """One word of the answer, with the space that follows it."""

    text: str


def think(question: str) -> Iterator[Step | Word]:
    """Yields each step as it is taken, then the answer word by word."""
    sentences = []
    for tool, subject in _plan(question):
        if tool == "calculator":
            try:
                output = calculator.calculate(subject)
                sentences.append(f"{calculator.spoken(subject)} is {output}.")
            except calculator.CannotCalculate as error:
                output = str(error)
                sentences.append(f"I cannot work out {calculator.spoken(subject)}: {output}.")
        else:
            output = glossary.look_up(subject)
            sentences.append(output)
        yield Step(tool=tool, input=subject, output=output)
    words = " ".join(sentences or [_SHRUG]).split()
    for word in words[:-1]:
        yield Word(text=f"{word} ")
    yield Word(text=words[-1])


def _plan(question: str) -> list[tuple[str, str]]:
    sums = [("calculator", expression) for expression in calculator.expressions(question)]
    words = [("glossary", term) for term in glossary.terms(question)]
    return (sums + words)[:_MOST_STEPS]
