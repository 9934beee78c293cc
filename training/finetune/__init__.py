"""Further training of LLaVA-ST, with the published objective."""
