"""Training under DeepSpeed: what a run is told, its steps, its checkpoints."""
