"""The demo model: a small LLaVA-ST trained from scratch on the synthetic world."""
