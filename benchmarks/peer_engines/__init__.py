"""Other engines that do the same work as Pilot: a program each, run by the engine's interpreter."""
