from desk import glossary


def test_finds_terms_in_the_order_of_their_mention():
    assert glossary.terms("Volumes, an image, and the image's layers") == [
        "volume",
        "image",
        "layer",
    ]


def test_a_longer_term_hides_the_shorter_one_in_it():
    assert glossary.terms("one health check") == ["health check"]


def test_a_term_is_a_whole_word():
    assert glossary.terms("imagery, agentless, draughty") == []


def test_every_term_can_be_found_and_has_a_meaning():
    for term in glossary._entries():
        assert glossary.terms(f"what is a {term}?") == [term]
        assert glossary.look_up(term).endswith(".")
