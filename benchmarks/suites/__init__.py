"""What anysoftmax costs and how exact it is, as asv measures it."""
