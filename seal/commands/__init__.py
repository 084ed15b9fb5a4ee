"""What each word after `seal` does; parsing is here, the work is in the library."""
