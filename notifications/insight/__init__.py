"""How many viewers a notification has reached, stage by stage, and what became of its deliveries."""
