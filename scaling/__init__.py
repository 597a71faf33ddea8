"""One famous network, trained thousands of times: what is trained and how. Knows nothing of Ray."""
