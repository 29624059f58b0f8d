"""How `nano` is made: sources with licences, teachers, prompts, the training loop (`python -m reverie.models.train`)."""
