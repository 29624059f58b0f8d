"""How `nano` is made: sources with licences, teachers, prompts, training (`python -m reverie.models.train`)."""
