"""What a step does and gives back: actions and their rules, questions to models, large outputs."""
