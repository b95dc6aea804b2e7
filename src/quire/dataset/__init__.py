"""The mathematics of protected datasets: rows and slots, slot trees, samples, durability. Pure."""
