"""What the request log tells of a window of time: how much was asked, how fast and how rightly it was answered, what drifts."""
