"""The workflow document as a whole: read, outlined, ordered, with its inputs."""
