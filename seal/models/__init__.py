"""The models: one multimodal core, two models made of it, and what makes them fit and load."""
