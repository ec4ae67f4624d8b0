"""What is particular to training each task: its data, its network, its loss and its score."""
