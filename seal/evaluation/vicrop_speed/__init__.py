"""What a map of ViCrop costs beside what the answer costs anyway."""
