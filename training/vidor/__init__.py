"""VidOR's annotations as questions with one target each."""
