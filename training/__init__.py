"""Training: the synthetic world, the demo model, and fine-tuning."""
