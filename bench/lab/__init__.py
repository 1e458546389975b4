"""The driver of the main job: what bench/quickstart and bench/report are made of."""
