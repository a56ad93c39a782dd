"""What is stored sealed: connections, secrets of people, keys; what is hidden in all texts."""
