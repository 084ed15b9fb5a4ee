"""What a run leaves to look at: tables, controls, costs, pictures and the page of them."""
