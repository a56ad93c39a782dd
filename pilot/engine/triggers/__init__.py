"""What starts agents by itself or from outside: schedules, events of Pilot's own, webhooks."""
