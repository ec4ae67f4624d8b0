"""Studies of what a recurrent network is for: one question each, repeated from several random starts, with the spread shown."""
