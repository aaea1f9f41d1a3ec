"""What Postbus knows about payments.  Pure: no AWS, no clock, no environment."""
