"""The tools for agents: a Model Context Protocol server that locates and zooms."""
