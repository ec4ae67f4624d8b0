"""Networks of others, rebuilt to be measured against and learned from."""
