"""How fast training is, and how much of it is work: our recipe beside the original's."""
