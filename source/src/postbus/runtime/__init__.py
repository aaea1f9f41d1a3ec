"""The only place that knows Lambda events, queue batches, Powertools, retries and the environment."""
