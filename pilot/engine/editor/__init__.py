"""A workflow under a person's hands: text, older formats, differences, steps in words."""
