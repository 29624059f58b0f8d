import pytest

from reverie.server.redis_url import Sentinels, sentinels


def test_an_address_of_sentinels_says_who_knows_the_master() -> None:
    known = sentinels("sentinel://user:word@one:1,two/prime/3")
    assert known == Sentinels((("one", 1), ("two", 26379)), "prime", 3, "user", "word")
    assert sentinels("sentinel://one") == Sentinels((("one", 26379),), "mymaster", 0, None, None)
    assert sentinels("redis://one:1") is None
    with pytest.raises(ValueError, match="port"):
        sentinels("sentinel://one:port")
