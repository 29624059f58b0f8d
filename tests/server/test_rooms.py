"""Rooms are found by whom they belong to, as long as they are open."""

from typing import Any

from reverie.server.rooms import Room, Rooms


def make() -> Room:
    session: Any = None
    return Room(session, lambda message: None, "studio", "H264")


def test_a_room_is_found_by_its_tenant_and_by_its_tokens_until_it_closes() -> None:
    rooms, room = Rooms(), make()
    rooms.open(room)
    assert rooms.find(room.name, "studio") is room and rooms.find(room.name, "other") is None
    assert rooms.seat(room.publisher) == (room, True) and rooms.seat(room.viewer) == (room, False)
    assert rooms.seat("") is None
    rooms.close(room)
    rooms.close(room)
    assert rooms.find(room.name, "studio") is None and rooms.seat(room.viewer) is None


def test_names_and_tokens_cannot_be_guessed() -> None:
    made = [make() for _ in range(50)]
    words = {word for each in made for word in (each.name, each.publisher, each.viewer)}
    assert len(words) == 150 and all(len(word) >= 24 for word in words)
