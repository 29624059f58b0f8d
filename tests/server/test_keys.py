from reverie.server.keys import Keys


def test_all_keys_of_a_fleet_lie_in_one_slot_of_a_cluster_and_fleets_are_apart() -> None:
    keys, others = Keys("a"), Keys("b")
    made = {keys.nodes, keys.node("1"), keys.leases("1"), keys.tenant("t"), keys.session("s"), keys.journal("s")}
    assert len(made) == 6
    assert {key[key.index("{") + 1 : key.index("}")] for key in made} == {"a"}
    assert others.node("1") not in made
