"""Tables of papers: what they print, what our runs measured, and the page of both."""
