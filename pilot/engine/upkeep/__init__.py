"""What keeps an installation in order: retention, roll-ups, anchors, what follows a restore."""
