"""Builders: public downloads become record sets; a room for each thing a file can be for."""
