"""Messages of Pilot's own: mail and other channels, relayed from the outbox."""
