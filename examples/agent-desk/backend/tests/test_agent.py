from desk.agent import Step, Word, think


def answer(question: str) -> tuple[list[tuple[str, str, str]], str]:
    thoughts = list(think(question))
    steps = [(step.tool, step.input, step.output) for step in thoughts if isinstance(step, Step)]
    return steps, "".join(word.text for word in thoughts if isinstance(word, Word))


def test_uses_both_tools_in_one_answer():
    steps, text = answer("What is 12% of 340, and what does a bulkhead do?")
    assert [(tool, subject) for tool, subject, _ in steps] == [
        ("calculator", "12/100*340"),
        ("glossary", "bulkhead"),
    ]
    assert text.startswith("12% of 340 is 40.8. A bulkhead is a wall inside a hull")


def test_says_why_it_cannot_calculate():
    steps, text = answer("what is 1 / 0?")
    assert steps == [("calculator", "1/0", "nothing can be divided by zero")]
    assert text == "I cannot work out 1 / 0: nothing can be divided by zero."


def test_says_what_it_can_do_when_it_has_no_tool_for_the_question():
    steps, text = answer("Who are you?")
    assert steps == []
    assert text.startswith("I can do two things")


def test_the_same_question_gets_the_same_answer():
    assert answer("ballast and 2 + 2") == answer("ballast and 2 + 2")


def test_takes_only_so_many_steps():
    steps, _ = answer(", ".join(f"{n}+{n}" for n in range(50)))
    assert len(steps) == 6
