"""What both models cost: seconds to load, memory, and the seconds of one full question."""
