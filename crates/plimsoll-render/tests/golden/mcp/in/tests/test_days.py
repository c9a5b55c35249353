from almanac.days import days_between


def test_a_leap_year():
    assert days_between("2024-02-28", "2024-03-01") == 2
