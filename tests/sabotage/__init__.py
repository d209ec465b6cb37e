"""Put known bugs back one at a time, to check that their tests fail."""
