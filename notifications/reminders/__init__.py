"""A viewer asks to be reminded of what starts later; it is posted to their own topic some minutes before."""
