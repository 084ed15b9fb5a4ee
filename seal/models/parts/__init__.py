"""What models are made of: tower, projectors, detector, cue decoder."""
